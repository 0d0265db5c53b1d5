/** What an instruction means, as far as it can be told before anything is built. */
import { EngineError } from '../errors.js'
import { execForm } from '../image/change.js'
import { cutWords, type EscapeCharacter } from '../image/expand.js'
import { nearest } from '../reference/nearest.js'
import type { Flag, WrittenDockerfile, WrittenInstruction } from './parse.js'
import { locate, type Source } from './source.js'

/** `FROM [--platform=P] IMAGE [AS NAME]`. */
export interface FromInstruction {
  readonly kind: 'from'
  /** A name, `scratch`, or the name of a stage before; variables still in it. */
  readonly image: string
  readonly platform: string | null
  /** In small letters. */
  readonly stage: string | null
  readonly source: Source
}

/** `ARG NAME[=DEFAULT]…`. */
export interface ArgInstruction {
  readonly kind: 'arg'
  readonly args: readonly { readonly name: string; readonly value: string | null }[]
  readonly source: Source
}

/** `COPY [--from=X] [--chown=U:G] [--chmod=M] SOURCE… DESTINATION`; variables still in everything. */
export interface CopyInstruction {
  readonly kind: 'copy'
  readonly from: string | null
  readonly chown: string | null
  readonly chmod: string | null
  readonly sources: readonly string[]
  readonly destination: string
  readonly source: Source
}

/** `RUN [--network=N] COMMAND`. */
export interface RunInstruction {
  readonly kind: 'run'
  /** Words of the exec form; null for the shell form. */
  readonly words: readonly string[] | null
  readonly line: string
  readonly network: 'default' | 'none' | 'host'
  readonly source: Source
}

/** One that changes the config only, but for WORKDIR, which makes its directory. */
export interface ConfigurationInstruction {
  readonly kind: 'config'
  readonly name: 'CMD' | 'ENTRYPOINT' | 'ENV' | 'EXPOSE' | 'LABEL' | 'USER' | 'VOLUME' | 'WORKDIR'
  readonly rest: string
  readonly source: Source
}

/** One instruction of a stage. */
export type StepInstruction = ArgInstruction | CopyInstruction | RunInstruction | ConfigurationInstruction

/** What a Dockerfile has between one FROM and the next. */
export interface Stage {
  readonly from: FromInstruction
  readonly steps: readonly StepInstruction[]
}

/** A Dockerfile that is understood. */
export interface Dockerfile {
  readonly file: string
  readonly escapeCharacter: EscapeCharacter
  /** Before the first FROM. */
  readonly globalArgs: readonly ArgInstruction[]
  /** At least one. */
  readonly stages: readonly Stage[]
}

const CONFIG_NAMES: readonly ConfigurationInstruction['name'][] = [
  'CMD',
  'ENTRYPOINT',
  'ENV',
  'EXPOSE',
  'LABEL',
  'USER',
  'VOLUME',
  'WORKDIR',
]

/** Instructions of docker's that are not built, and what to do instead. */
export const NOT_BUILT_INSTRUCTIONS: Readonly<Record<string, string>> = {
  ADD: 'COPY takes files and folders; unpack an archive, or fetch a URL, beside the Dockerfile first.',
  HEALTHCHECK: 'Health is not checked yet: leave it out.',
  MAINTAINER: 'Write LABEL org.opencontainers.image.authors="NAME".',
  ONBUILD: 'Write the instruction into the Dockerfiles that build on this one.',
  SHELL: 'Name the shell where it runs: RUN ["/bin/bash", "-c", "…"].',
  STOPSIGNAL: 'Leave it out: a container is asked to end by SIGTERM.',
}

const NOT_BUILT_FLAGS: Readonly<Record<string, string>> = {
  'COPY --exclude': 'Leave the files out with .dockerignore.',
  'COPY --link': 'Leave it out: the result is the same.',
  'COPY --parents': 'COPY each folder to its place.',
  'RUN --mount': 'COPY what the command needs, and remove it in the same RUN.',
  'RUN --security': 'Leave it out: a RUN is as confined as any container.',
  'RUN --device': 'Leave it out: a RUN has no device of the host.',
}

/** Reads what the instructions mean. Throws INVALID_ARGUMENT and NOT_BUILT, each with the line. */
export function readDockerfile({ escapeCharacter, instructions }: WrittenDockerfile): Dockerfile {
  const globalArgs: ArgInstruction[] = []
  const stages: { readonly from: FromInstruction; readonly steps: StepInstruction[] }[] = []
  for (const written of instructions) {
    try {
      const instruction = understand(written, escapeCharacter)
      if (instruction.kind === 'from') stages.push({ from: instruction, steps: [] })
      else if (stages.length > 0) stages.at(-1)?.steps.push(instruction)
      else if (instruction.kind === 'arg') globalArgs.push(instruction)
      else
        throw new EngineError('INVALID_ARGUMENT', `no build stage in current context: ${written.keyword} stands before the first FROM`, {
          hint: 'Begin with FROM IMAGE, or FROM scratch for an empty root.',
        })
    } catch (error) {
      throw locate(error, written.source)
    }
  }
  const file = instructions[0]?.source.file ?? 'Dockerfile'
  if (stages.length === 0)
    throw new EngineError('INVALID_ARGUMENT', `${file} has no FROM`, { hint: 'Begin with FROM IMAGE, or FROM scratch for an empty root.' })
  return { file, escapeCharacter, globalArgs, stages }
}

function understand(written: WrittenInstruction, escapeCharacter: EscapeCharacter): FromInstruction | StepInstruction {
  const { keyword, source } = written
  switch (keyword) {
    case 'FROM':
      return from(written)
    case 'ARG':
      return arg(written, escapeCharacter)
    case 'COPY':
      return copy(written, escapeCharacter)
    case 'RUN':
      return run(written)
  }
  const name = CONFIG_NAMES.find((candidate) => candidate === keyword)
  if (name !== undefined) {
    takeFlags(written, [])
    return { kind: 'config', name, rest: written.rest, source }
  }
  if (Object.hasOwn(NOT_BUILT_INSTRUCTIONS, keyword))
    throw new EngineError('NOT_BUILT', `${keyword} is not built yet`, {
      hint: NOT_BUILT_INSTRUCTIONS[keyword] ?? '',
      data: { instruction: keyword },
    })
  const [near] = nearest(keyword, ['FROM', 'ARG', 'COPY', 'RUN', ...CONFIG_NAMES, ...Object.keys(NOT_BUILT_INSTRUCTIONS)])
  throw new EngineError('INVALID_ARGUMENT', `unknown instruction: ${keyword}`, near === undefined ? {} : { hint: `Did you mean ${near}?` })
}

function from(written: WrittenInstruction): FromInstruction {
  const { platform } = takeFlags(written, ['platform'])
  const words = written.rest.split(/\s+/)
  const [image = '', as, stage, ...others] = words
  if (words.length !== 1 && (words.length !== 3 || as?.toLowerCase() !== 'as' || others.length > 0))
    throw new EngineError('INVALID_ARGUMENT', 'FROM requires either one or three arguments', {
      hint: 'Write FROM IMAGE or FROM IMAGE AS NAME.',
    })
  if (stage !== undefined && !/^[a-z][a-z0-9-_.]*$/i.test(stage))
    throw new EngineError('INVALID_ARGUMENT', `invalid name for build stage: ${JSON.stringify(stage)}`, {
      hint: 'A stage is named by letters, digits, dots, dashes and underscores, a letter first.',
    })
  return { kind: 'from', image, platform: platform ?? null, stage: stage?.toLowerCase() ?? null, source: written.source }
}

function arg(written: WrittenInstruction, escapeCharacter: EscapeCharacter): ArgInstruction {
  takeFlags(written, [])
  const args = cutWords(written.rest, escapeCharacter).map((word) => {
    const equals = word.indexOf('=')
    const name = equals < 0 ? word : word.slice(0, equals)
    if (!/^[A-Za-z_]\w*$/.test(name))
      throw new EngineError('INVALID_ARGUMENT', `${JSON.stringify(word)} is no build argument`, {
        hint: 'Write ARG NAME or ARG NAME=value.',
      })
    return { name, value: equals < 0 ? null : word.slice(equals + 1) }
  })
  return { kind: 'arg', args, source: written.source }
}

function copy(written: WrittenInstruction, escapeCharacter: EscapeCharacter): CopyInstruction {
  const { from: origin, chown, chmod } = takeFlags(written, ['from', 'chown', 'chmod'])
  const list = execForm(written.rest)
  // Words of a list are taken as they are, but for variables.
  const words = list ?? cutWords(written.rest, escapeCharacter)
  const destination = words.at(-1)
  if (words.length < 2 || destination === undefined)
    throw new EngineError(
      'INVALID_ARGUMENT',
      'COPY requires at least two arguments, but only one was provided. Destination could not be determined',
      {
        hint: 'Write COPY SOURCE… DESTINATION.',
      },
    )
  return {
    kind: 'copy',
    from: origin ?? null,
    chown: chown ?? null,
    chmod: chmod ?? null,
    sources: words.slice(0, -1),
    destination,
    source: written.source,
  }
}

function run(written: WrittenInstruction): RunInstruction {
  const { network = 'default' } = takeFlags(written, ['network'])
  if (network !== 'default' && network !== 'none' && network !== 'host')
    throw new EngineError('INVALID_ARGUMENT', `RUN --network takes default, none or host, not ${JSON.stringify(network)}`)
  const words = execForm(written.rest)
  if (words?.length === 0)
    throw new EngineError('INVALID_ARGUMENT', 'RUN has an empty list', { hint: 'Name the program and its arguments.' })
  return { kind: 'run', words, line: written.rest, network, source: written.source }
}

/** The values of the flags an instruction knows; any other is an error. */
function takeFlags(written: WrittenInstruction, known: readonly string[]): Readonly<Record<string, string | undefined>> {
  const values: Record<string, string> = {}
  for (const { name, value } of written.flags) values[checkFlag(written, { name, value }, known)] = value ?? ''
  return values
}

function checkFlag({ keyword }: WrittenInstruction, { name, value }: Flag, known: readonly string[]): string {
  const wayOut = NOT_BUILT_FLAGS[`${keyword} --${name}`]
  if (wayOut !== undefined) throw new EngineError('NOT_BUILT', `${keyword} --${name} is not built yet`, { hint: wayOut })
  if (!known.includes(name)) {
    const [near] = nearest(name, known)
    throw new EngineError(
      'INVALID_ARGUMENT',
      `unknown flag: ${keyword} --${name}`,
      near === undefined ? {} : { hint: `Did you mean --${near}?` },
    )
  }
  if (value === null || value === '')
    throw new EngineError('INVALID_ARGUMENT', `${keyword} --${name} has no value`, { hint: `Write --${name}=VALUE.` })
  return name
}
