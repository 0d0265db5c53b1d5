import { EngineError } from '../errors.js'
import type { Program } from './magic.js'
import { findProgram, KIND_NAMES, searchPath } from './magic.js'
import type { Runtime } from './runtime.js'
import type { ContainerSpec, Rootfs } from './spec.js'

/** What a user may name: a wall, or `auto` for the first that takes the program. */
export interface RuntimeChoice {
  /** Every wall there is, in the order `auto` tries them. */
  readonly runtimes: readonly Runtime[]
  readonly name: string
  readonly spec: ContainerSpec
  readonly rootfs: Rootfs
}

/**
 * The wall for a program. `auto` chooses by the program's first bytes; a named wall is taken or refused, never exchanged.
 *
 * Throws COMMAND_NOT_FOUND and COMMAND_NOT_EXECUTABLE as docker does (127, 126), WRONG_RUNTIME when the named wall does not take such a
 * program, RUNTIME_UNAVAILABLE with the reason when the host lacks what the wall needs, INVALID_ARGUMENT for a wall that does not exist.
 */
export async function selectRuntime({ runtimes, name, spec, rootfs }: RuntimeChoice): Promise<Runtime> {
  const named = name === 'auto' ? undefined : runtimes.find((runtime) => runtime.name === name)
  if (name !== 'auto' && named === undefined) {
    const known = ['auto', ...runtimes.map((runtime) => runtime.name)].join(', ')
    throw new EngineError('INVALID_ARGUMENT', `--runtime ${name}: there is no such wall`, { hint: `Use one of: ${known}.`, data: { name } })
  }
  const program = existingProgram(spec, rootfs)
  const accepting = runtimes.find((runtime) => runtime.accepts(spec, rootfs))
  const chosen = named ?? accepting
  if (chosen === undefined || !chosen.accepts(spec, rootfs)) throw refusal(program, chosen, accepting)
  const reason = await chosen.unavailable()
  if (reason === null) return chosen
  throw new EngineError('RUNTIME_UNAVAILABLE', `the ${chosen.name} wall cannot be used here: ${reason}`, {
    hint: '`wolffia doctor` shows every step of the probe and what to do about it.',
    data: { runtime: chosen.name, reason },
  })
}

/** Throws as docker does for a command that is not there or cannot be executed, before any wall is asked. */
function existingProgram(spec: ContainerSpec, rootfs: Rootfs): Program {
  const command = spec.process.args[0] ?? ''
  const program = findProgram(spec, rootfs)
  if (program === null) {
    const where = command.includes('/') ? 'in the container' : `in the container's PATH (${searchPath(spec.process.env).join(':')})`
    throw new EngineError('COMMAND_NOT_FOUND', `${JSON.stringify(command)}: no such program ${where}`, {
      hint: command.startsWith('-')
        ? 'Options of wolffia stand before the image; what comes after it is the program and its own arguments.'
        : 'Name a program of the image after the image, or another one with --entrypoint.',
      data: { command },
    })
  }
  if (program.kind === 'directory')
    throw new EngineError('COMMAND_NOT_EXECUTABLE', `${program.path}: permission denied, it is a directory`, {
      hint: 'Name a program of the image after the image, or another one with --entrypoint.',
      data: { command, path: program.path },
    })
  if (program.kind !== 'wasm' && !program.executable)
    throw new EngineError('COMMAND_NOT_EXECUTABLE', `${program.path}: permission denied, it has no execute bit`, {
      hint: 'Run it with its interpreter, or make it executable in the image.',
      data: { command, path: program.path },
    })
  return program
}

function refusal(program: Program, named: Runtime | undefined, accepting: Runtime | undefined): EngineError {
  const what = `${program.path} is ${KIND_NAMES[program.kind]}`
  const data = { path: program.path, kind: program.kind }
  if (accepting === undefined)
    return new EngineError('COMMAND_NOT_EXECUTABLE', `${what}: exec format error`, { hint: 'Name another program, or --entrypoint.', data })
  return new EngineError('WRONG_RUNTIME', `${what}, which the ${named?.name ?? 'chosen'} wall cannot run`, {
    hint: `Type --runtime ${accepting.name}, or leave --runtime out.`,
    data,
  })
}
