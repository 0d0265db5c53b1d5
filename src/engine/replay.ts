import type { CreateOptions } from '../container/options.js'
import { readRecordingHeader } from '../wasm/recording/recording-file.js'

/**
 * What `containers.create` is to be given so that a recording (an absolute path) is replayed: everything but the recording itself comes from its
 * first line, and nothing from outside. Throws FILE_NOT_FOUND, and INVALID_ARCHIVE for what is no recording.
 */
export function replayOptions(path: string): CreateOptions {
  const { image, args, env, cwd, user, limits, deterministic } = readRecordingHeader(path)
  const { memoryBytes, tableElements, fuel } = limits
  return {
    image,
    entrypoint: args.slice(0, 1),
    command: args.slice(1),
    env: Object.fromEntries(env.map(splitAssignment)),
    workingDir: cwd,
    user: `${user.uid}:${user.gid}`,
    limits: {
      ...(memoryBytes === null ? {} : { memoryBytes }),
      ...(tableElements === null ? {} : { tableElements }),
      ...(fuel === null ? {} : { fuel }),
    },
    ...(deterministic === null ? {} : { deterministic: { seed: deterministic } }),
    recording: { mode: 'replay', path },
    runtime: 'wasm',
    autoRemove: true,
  }
}

function splitAssignment(assignment: string): readonly [name: string, value: string] {
  const at = assignment.indexOf('=')
  return at < 0 ? [assignment, ''] : [assignment.slice(0, at), assignment.slice(at + 1)]
}
