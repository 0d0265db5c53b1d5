import type { Readable } from 'node:stream'
import type { BuildEvent } from '../build/progress.js'
import type { Limits } from '../runtime/limits.js'
import type { ResourceSpec } from '../runtime/resources.js'
import type { PullPolicy } from './image-pulls.js'

/** What `images.build` makes an image of. */
export interface BuildOptions {
  /**
   * What COPY may take: a folder of the host, read without following a symlink out of it and without what its .dockerignore leaves out; or
   * bytes, which are a tar (plain, gzip or zstd) or else the text of a Dockerfile that copies nothing. Absent: no files.
   */
  readonly context?: string | Readable
  /** Path of the Dockerfile: on the host for a folder, within a tar; `Dockerfile` of the context unless said. */
  readonly dockerfile?: string
  /** The Dockerfile itself, instead of a path. */
  readonly dockerfileText?: string
  /** Names of the new image, `app` or `example.com/app:1`; without, it has only its id. */
  readonly tags?: readonly string[]
  /** Values for ARG. They can be read in the image's history: no place for secrets. */
  readonly buildArgs?: Readonly<Record<string, string>>
  readonly labels?: Readonly<Record<string, string>>
  /** The stage to build, by name or number; the last one unless said. */
  readonly target?: string
  /** `linux/amd64`, `wasi/wasm`, or several with commas between, for one name; this machine's Linux unless said. RUN works for that only. */
  readonly platform?: string
  /** Of every RUN; `none` unless said. */
  readonly network?: 'none' | 'host'
  /** Of every RUN, as a container has them. */
  readonly limits?: Limits
  readonly resources?: ResourceSpec
  /** Time of the image, its history and the directories made for it; now unless said. With a fixed time, and without RUN, the same files give the same image. */
  readonly created?: Date
  /** When the images of FROM are pulled; `never` unless said. */
  readonly pull?: PullPolicy
  /** Told what happens, in order. */
  readonly onEvent?: (event: BuildEvent) => void
  /** Stops the build, with ABORTED; nothing of it is kept. */
  readonly signal?: AbortSignal
}
