/**
 * What a check of the store finds: each check gives flaws, and each flaw knows how it is put right. Whoever repairs does so without any
 * lock held, since a repair takes those it needs, and looks again afterwards: nothing is believed to be mended that is still found.
 */
import { rm } from 'node:fs/promises'
import { join } from 'node:path'

/** What is damaged: names of images, blobs, layers, trees for the kernel, containers; or what lies there and should not, or is open to others. */
export type FlawKind = 'names' | 'blob' | 'layer' | 'tree' | 'container' | 'leftover' | 'permissions' | 'foreign'

/** One thing that is not as it should be. */
export interface Flaw {
  readonly kind: FlawKind
  /** Where, below the home. */
  readonly path: string
  /** What is wrong with it, as the rest of a sentence that begins with the path. */
  readonly problem: string
  /** Images that cannot be used for it, as a user names them. */
  readonly images: readonly string[]
  /** What the user can do, where {@link repair} cannot or does not do all; null where it does. */
  readonly remedy: string | null
  /** Puts it right as far as that goes; null where it does not. Flaws may share one. */
  readonly repair: (() => Promise<unknown>) | null
}

/** A flaw with what most have none of left out. */
export function flaw(kind: FlawKind, path: string, problem: string, more: Partial<Omit<Flaw, 'kind' | 'path' | 'problem'>> = {}): Flaw {
  return { kind, path, problem, images: [], remedy: null, repair: null, ...more }
}

/** What somebody else has left in the home: told, and never removed. */
export function foreign(root: string, path: string): Flaw {
  return flaw('foreign', path, "is none of wolffia's", { remedy: `Move it away, or remove it: rm -r ${root}/${path}` })
}

/** A file or a folder that a process which is gone has left; its files are the user's own. */
export function leftover(root: string, path: string): Flaw {
  return flaw('leftover', path, 'was left by a process that is gone', {
    repair: () => rm(join(root, path), { recursive: true, force: true }),
  })
}
