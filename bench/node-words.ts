/** Words in front of the module, the folder and the guest's own, for a program that Node is handed as text. */
export function nodeWords(program: string): readonly string[] {
  return ['--no-warnings', '--input-type=module', '-e', program]
}
