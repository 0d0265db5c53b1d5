/** Instructions of `import --change` (and later `commit --change`): a Dockerfile line each, those that change a config only. */
import { EngineError } from '../errors.js'
import type { ContainerConfig } from '../oci/image-spec.js'

const DEFAULT_SHELL = ['/bin/sh', '-c']

type Instruction = (config: ContainerConfig, rest: string, line: string) => ContainerConfig

const INSTRUCTIONS: Readonly<Record<string, Instruction>> = {
  CMD: (config, rest, line) => ({ ...config, Cmd: command(config, rest, line) }),
  ENTRYPOINT: (config, rest, line) => ({ ...config, Entrypoint: command(config, rest, line) }),
  ENV: (config, rest, line) => ({ ...config, Env: mergeEnv(config.Env ?? [], pairs(rest, line)) }),
  EXPOSE: (config, rest, line) => ({
    ...config,
    ExposedPorts: { ...config.ExposedPorts, ...keys(words(rest, line).map((word) => port(word, line))) },
  }),
  LABEL: (config, rest, line) => ({ ...config, Labels: { ...config.Labels, ...Object.fromEntries(pairs(rest, line)) } }),
  ONBUILD: (config, rest) => ({ ...config, OnBuild: [...(config.OnBuild ?? []), rest] }),
  STOPSIGNAL: (config, rest) => ({ ...config, StopSignal: rest }),
  USER: (config, rest) => ({ ...config, User: rest }),
  VOLUME: (config, rest, line) => ({ ...config, Volumes: { ...config.Volumes, ...keys(jsonList(rest) ?? words(rest, line)) } }),
  WORKDIR: (config, rest) => ({ ...config, WorkingDir: joinPaths(config.WorkingDir ?? '/', rest) }),
}

/** The config after one instruction, such as `ENTRYPOINT ["/bin/sh"]`. Throws INVALID_ARGUMENT. */
export function applyChange(config: ContainerConfig, line: string): ContainerConfig {
  const [, name = '', rest = ''] = /^\s*(\w+)\s+(.*?)\s*$/s.exec(line) ?? []
  const instruction = Object.hasOwn(INSTRUCTIONS, name.toUpperCase()) ? INSTRUCTIONS[name.toUpperCase()] : undefined
  if (instruction === undefined || rest === '')
    throw new EngineError('INVALID_ARGUMENT', `${JSON.stringify(line)} is no change of an image's config`, {
      hint: `Write one of ${Object.keys(INSTRUCTIONS).join(', ')} and its value, as in a Dockerfile.`,
    })
  return instruction(config, rest, line)
}

/** The exec form, a JSON list, or the shell form, anything else. */
function command(config: ContainerConfig, rest: string, line: string): readonly string[] {
  const list = jsonList(rest)
  if (list === null && rest.startsWith('[') && rest.endsWith(']'))
    throw new EngineError('INVALID_ARGUMENT', `${JSON.stringify(line)}: the list is no JSON`, {
      hint: 'Use double quotes: ["/bin/echo", "hello"].',
    })
  return list ?? [...(config.Shell ?? DEFAULT_SHELL), rest]
}

function jsonList(text: string): readonly string[] | null {
  if (!text.startsWith('[')) return null
  try {
    const value: unknown = JSON.parse(text)
    return Array.isArray(value) && value.every((word) => typeof word === 'string') ? value : null
  } catch {
    return null
  }
}

/** Words as a Dockerfile parts them: by spaces, with quotes and backslashes. */
function words(text: string, line: string): readonly string[] {
  const found: string[] = []
  let word: string | null = null
  let quote: string | null = null
  for (let position = 0; position < text.length; position++) {
    const character = text[position] ?? ''
    if (quote === null && /\s/.test(character)) {
      if (word !== null) found.push(word)
      word = null
    } else if (quote === null && (character === '"' || character === "'")) {
      quote = character
      word ??= ''
    } else if (character === quote) quote = null
    else if (character === '\\' && quote !== "'" && position + 1 < text.length) word = (word ?? '') + text[++position]
    else word = (word ?? '') + character
  }
  if (quote !== null) throw new EngineError('INVALID_ARGUMENT', `${JSON.stringify(line)}: a quote is not closed`)
  return word === null ? found : [...found, word]
}

/** `A=1 B="two words"`, or the old form with one name: `A the rest`. */
function pairs(rest: string, line: string): readonly (readonly [name: string, value: string])[] {
  const parted = words(rest, line)
  if (parted[0] !== undefined && !parted[0].includes('=')) {
    const [, name = rest, value] = /^(\S+)\s+(.*)$/s.exec(rest) ?? []
    if (value === undefined)
      throw new EngineError('INVALID_ARGUMENT', `${JSON.stringify(line)}: ${name} has no value`, { hint: 'Write NAME=value.' })
    return [[name, value]]
  }
  return parted.map((word) => {
    const equals = word.indexOf('=')
    if (equals < 1) throw new EngineError('INVALID_ARGUMENT', `${JSON.stringify(line)}: ${JSON.stringify(word)} is not NAME=value`)
    return [word.slice(0, equals), word.slice(equals + 1)]
  })
}

function mergeEnv(env: readonly string[], changes: readonly (readonly [string, string])[]): readonly string[] {
  const variables = new Map(env.map((variable) => [variable.split('=', 1)[0] ?? '', variable]))
  for (const [name, value] of changes) variables.set(name, `${name}=${value}`)
  return [...variables.values()]
}

function port(word: string, line: string): string {
  const [, number, protocol = 'tcp'] = /^(\d{1,5})(?:\/(tcp|udp|sctp))?$/.exec(word.toLowerCase()) ?? []
  if (number === undefined || Number(number) > 65535 || Number(number) === 0)
    throw new EngineError('INVALID_ARGUMENT', `${JSON.stringify(line)}: ${JSON.stringify(word)} is no port`, {
      hint: 'Write 80, or 53/udp.',
    })
  return `${Number(number)}/${protocol}`
}

function keys(names: readonly string[]): Readonly<Record<string, object>> {
  return Object.fromEntries(names.map((name) => [name, {}]))
}

function joinPaths(base: string, path: string): string {
  const parts: string[] = []
  for (const part of `${path.startsWith('/') ? '' : base}/${path}`.split('/')) {
    if (part === '..') parts.pop()
    else if (part !== '' && part !== '.') parts.push(part)
  }
  return `/${parts.join('/')}`
}
