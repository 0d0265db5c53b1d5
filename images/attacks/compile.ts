import { execFile } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'

/** One attack of this folder. */
export interface NativeAttack {
  readonly name: string
  /** The first line of its README. */
  readonly title: string
}

/** How an attack ends (`attack.h`). */
export const ATTACK_EXITS: Readonly<Record<number, 'held' | 'REACHED' | 'not here'>> = { 10: 'held', 11: 'REACHED', 12: 'not here' }

/** All attacks, by name. `root` is the package's. */
export function nativeAttacks(root: string): readonly NativeAttack[] {
  const folder = join(root, 'images/attacks')
  const names = readdirSync(folder, { withFileTypes: true }).filter((entry) => entry.isDirectory())
  return names
    .map(({ name }) => ({
      name,
      title:
        readFileSync(join(folder, name, 'README.md'), 'utf8')
          .split('\n')[0]
          ?.slice(2) ?? name,
    }))
    .sort((left, right) => (left.name < right.name ? -1 : 1))
}

/** Compiles each to a static program `NAME` in `target`. Rejects with what the compiler says. */
export async function compileAttacks(root: string, target: string): Promise<void> {
  const flags = ['-std=c11', '-D_GNU_SOURCE', '-O1', '-Wall', '-Wextra', '-Werror', '-static']
  const compile = ({ name }: NativeAttack) =>
    promisify(execFile)('cc', [...flags, '-o', join(target, name), join(root, 'images/attacks', name, 'attack.c')])
  await Promise.all(nativeAttacks(root).map(compile))
}
