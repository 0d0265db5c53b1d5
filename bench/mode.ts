import type { Subject } from './measure.js'
import type { Workbench } from './workbench.js'

/**
 * A way to run a program, behind some wall or none: a file in `modes/`. It opens the workbench's busybox (or hello.wasm) so that one
 * {@link Subject.sample} is one start to exit, in milliseconds, of `args`.
 */
export interface Mode {
  /** One word, as rows and `--only` name it. */
  readonly name: string
  /** What stands between the program and the host. */
  readonly summary: string
  /** Gets everything ready that is not part of a start. Rejects with Unavailable where the host cannot do it. */
  open(workbench: Workbench, args: readonly string[]): Promise<Subject>
}
