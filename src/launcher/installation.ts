import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

let root: string | undefined

/**
 * Absolute path of something that the build made: `launcher`, `seccomp-x86_64.bin`, `sandbox`, `wasm/hello.wasm`. The file
 * need not exist. Works from the source tree, from a bundle and from an installed package alike. WOLFFIA_LAUNCHER names another
 * launcher: one built with sanitizers, or installed where an AppArmor profile expects it.
 */
export function assetPath(name: string): string {
  const { WOLFFIA_LAUNCHER } = process.env
  if (name === 'launcher' && WOLFFIA_LAUNCHER !== undefined && WOLFFIA_LAUNCHER !== '') return WOLFFIA_LAUNCHER
  root ??= packageRoot(dirname(fileURLToPath(import.meta.url)))
  return join(root, 'dist', name)
}

/** What to type to have the launcher compiled on this machine. */
export function launcherBuildCommand(): string {
  return `node ${assetPath('../scripts/launcher.mjs')}`
}

/** The processor this runs on, by the kernel's name, or null for one that no seccomp program is made for. */
export function ownArchitecture(): 'x86_64' | 'aarch64' | null {
  if (process.arch === 'x64') return 'x86_64'
  if (process.arch === 'arm64') return 'aarch64'
  return null
}

/** Name of the seccomp program for the processor this runs on, or null where there is none. */
export function seccompAsset(): 'seccomp-x86_64.bin' | 'seccomp-aarch64.bin' | null {
  const architecture = ownArchitecture()
  return architecture === null ? null : `seccomp-${architecture}.bin`
}

function packageRoot(start: string): string {
  for (let directory = start; ; directory = dirname(directory)) {
    const manifest = join(directory, 'package.json')
    if (existsSync(manifest) && (JSON.parse(readFileSync(manifest, 'utf8')) as { name?: unknown }).name === 'wolffia') return directory
    // Outside any package (a bundle copied away): assets lie beside the bundle's folder.
    if (dirname(directory) === directory) return dirname(start)
  }
}
