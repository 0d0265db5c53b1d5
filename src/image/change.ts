/**
 * Instructions that change a config only: a Dockerfile's, and those of `import --change` and `commit --change`, which are a
 * Dockerfile line each.
 */
import { EngineError } from '../errors.js'
import type { ContainerConfig } from '../oci/image-spec.js'
import { cutWords, type Expansion, expandWord, expandWords } from './expand.js'

const DEFAULT_SHELL = ['/bin/sh', '-c']

/** One instruction: its name in capitals, and what stands behind it on its line or lines. */
export interface ConfigInstruction {
  readonly name: string
  readonly rest: string
}

type Change = (config: ContainerConfig, rest: string, expansion: Expansion) => ContainerConfig

const CHANGES: Readonly<Record<string, Change>> = {
  CMD: (config, rest) => ({ ...config, Cmd: command(config, rest) }),
  ENTRYPOINT: (config, rest) => ({ ...config, Entrypoint: command(config, rest) }),
  ENV: (config, rest, expansion) => ({ ...config, Env: mergeEnv(config.Env ?? [], pairs(rest, expansion)) }),
  EXPOSE: (config, rest, expansion) => ({
    ...config,
    ExposedPorts: { ...config.ExposedPorts, ...keys(expandWords(rest, expansion).flatMap(ports)) },
  }),
  LABEL: (config, rest, expansion) => ({ ...config, Labels: { ...config.Labels, ...Object.fromEntries(pairs(rest, expansion)) } }),
  ONBUILD: (config, rest) => ({ ...config, OnBuild: [...(config.OnBuild ?? []), rest] }),
  STOPSIGNAL: (config, rest, expansion) => ({ ...config, StopSignal: expandWord(rest, expansion) }),
  USER: (config, rest, expansion) => ({ ...config, User: expandWord(rest, expansion) }),
  VOLUME: (config, rest, expansion) => ({ ...config, Volumes: { ...config.Volumes, ...keys(volumes(rest, expansion)) } }),
  WORKDIR: (config, rest, expansion) => ({ ...config, WorkingDir: joinPaths(config.WorkingDir ?? '/', expandWord(rest, expansion)) }),
}

/** The config after one line, such as `ENTRYPOINT ["/bin/sh"]`, in which variables are those of the config. Throws INVALID_ARGUMENT. */
export function applyChange(config: ContainerConfig, line: string): ContainerConfig {
  const [, name = '', rest = ''] = /^\s*(\w+)\s+(.*?)\s*$/s.exec(line) ?? []
  if (!Object.hasOwn(CHANGES, name.toUpperCase()) || rest === '')
    throw new EngineError('INVALID_ARGUMENT', `${JSON.stringify(line)} is no change of an image's config`, {
      hint: `Write one of ${Object.keys(CHANGES).join(', ')} and its value, as in a Dockerfile.`,
    })
  try {
    return applyInstruction(config, { name: name.toUpperCase(), rest }, { variables: environmentOf(config), escapeCharacter: '\\' })
  } catch (error) {
    if (!(error instanceof EngineError)) throw error
    const { code, hint, data } = error
    throw new EngineError(code, `${JSON.stringify(line)}: ${error.message}`, {
      cause: error,
      data,
      ...(hint === undefined ? {} : { hint }),
    })
  }
}

/** The config after one instruction. Throws INVALID_ARGUMENT, and INTERNAL for one that is more than a change of the config. */
export function applyInstruction(config: ContainerConfig, { name, rest }: ConfigInstruction, expansion: Expansion): ContainerConfig {
  const change = Object.hasOwn(CHANGES, name) ? CHANGES[name] : undefined
  if (change === undefined) throw new EngineError('INTERNAL', `${name} is no change of a config`)
  return change(config, rest, expansion)
}

/** The variables of a config. */
export function environmentOf({ Env = [] }: ContainerConfig): Map<string, string> {
  return new Map(Env.map((variable) => [variable.split('=', 1)[0] ?? '', variable.slice(variable.indexOf('=') + 1)]))
}

/** The words of the exec form, a JSON list of texts; null for the shell form. */
export function execForm(text: string): readonly string[] | null {
  if (!text.startsWith('[')) return null
  try {
    const value: unknown = JSON.parse(text)
    return Array.isArray(value) && value.every((word) => typeof word === 'string') ? value : null
  } catch {
    return null
  }
}

/** The words that run a line of the shell form. */
export function shellCommand(config: ContainerConfig, line: string): readonly string[] {
  return [...(config.Shell ?? DEFAULT_SHELL), line]
}

/** `path` in `base`, without `.` and `..`. */
export function joinPaths(base: string, path: string): string {
  const parts: string[] = []
  for (const part of `${path.startsWith('/') ? '' : base}/${path}`.split('/')) {
    if (part === '..') parts.pop()
    else if (part !== '' && part !== '.') parts.push(part)
  }
  return `/${parts.join('/')}`
}

function command(config: ContainerConfig, rest: string): readonly string[] {
  const list = execForm(rest)
  if (list === null && rest.startsWith('[') && rest.endsWith(']'))
    throw new EngineError('INVALID_ARGUMENT', 'the list is no JSON', { hint: 'Use double quotes: ["/bin/echo", "hello"].' })
  return list ?? shellCommand(config, rest)
}

/** `A=1 B="two words"`, or the old form with one name: `A the rest`. */
function pairs(rest: string, expansion: Expansion): readonly (readonly [name: string, value: string])[] {
  const words = cutWords(rest, expansion.escapeCharacter)
  if (words[0] !== undefined && !words[0].includes('=')) {
    const [, name = rest, value] = /^(\S+)\s+(.*)$/s.exec(rest) ?? []
    if (value === undefined) throw new EngineError('INVALID_ARGUMENT', `${name} has no value`, { hint: 'Write NAME=value.' })
    return [[expandWord(name, expansion), expandWord(value, expansion)]]
  }
  return words.map((word) => {
    const equals = word.indexOf('=')
    const name = equals < 0 ? '' : expandWord(word.slice(0, equals), expansion)
    if (name === '')
      throw new EngineError('INVALID_ARGUMENT', `${JSON.stringify(word)} is not NAME=value`, {
        hint: 'Write NAME=value; quote a value with spaces.',
      })
    return [name, expandWord(word.slice(equals + 1), expansion)]
  })
}

/** Variables with others over them, each in the place of the first of its name. */
export function mergeEnv(env: readonly string[], changes: readonly (readonly [string, string])[]): readonly string[] {
  const variables = new Map(env.map((variable) => [variable.split('=', 1)[0] ?? '', variable]))
  for (const [name, value] of changes) variables.set(name, `${name}=${value}`)
  return [...variables.values()]
}

function volumes(rest: string, expansion: Expansion): readonly string[] {
  const words = (execForm(rest) ?? cutWords(rest, expansion.escapeCharacter)).map((word) => expandWord(word, expansion).trim())
  if (words.includes('')) throw new EngineError('INVALID_ARGUMENT', 'a volume is a path, and one of these is empty')
  return words
}

function ports(word: string): readonly string[] {
  const [, first, last = first, protocol = 'tcp'] = /^(\d{1,5})(?:-(\d{1,5}))?(?:\/(tcp|udp|sctp))?$/.exec(word.toLowerCase()) ?? []
  const [from, to] = [Number(first), Number(last)]
  if (first === undefined || from < 1 || to > 65535 || from > to)
    throw new EngineError('INVALID_ARGUMENT', `${JSON.stringify(word)} is no port`, { hint: 'Write 80, 53/udp, or 8000-8010.' })
  return Array.from({ length: to - from + 1 }, (_, index) => `${from + index}/${protocol}`)
}

function keys(names: readonly string[]): Readonly<Record<string, object>> {
  return Object.fromEntries(names.map((name) => [name, {}]))
}
