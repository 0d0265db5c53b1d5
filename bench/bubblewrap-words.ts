/** What bubblewrap is told so that it stands where wolffia does: all namespaces, and a root of its own. The program follows. */
export function bubblewrapWords(root: string): readonly string[] {
  return ['--unshare-all', '--die-with-parent', '--bind', root, '/', '--proc', '/proc', '--dev', '/dev', '--']
}
