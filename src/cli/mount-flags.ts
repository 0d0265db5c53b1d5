/**
 * What `-v` and `--mount` say, as docker reads them. `-v` goes by place (`SOURCE:TARGET:OPTIONS`), `--mount` by name; each word works, or
 * fails by its name.
 */
import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import { parseBytes } from '../engine/words.js'
import { EngineError } from '../errors.js'
import type { BindMount, TmpfsMount } from '../runtime/spec.js'
import type { MountRequest, VolumeRequest } from '../volume/volume.js'
import { invalidFlag } from './invalid-flag.js'

/** `[SOURCE:]TARGET[:OPTIONS]`: a path binds a folder or file of the host, a name mounts a volume, nothing makes an anonymous volume. */
export function parseVolume(text: string): MountRequest {
  if (text === '') throw new EngineError('INVALID_ARGUMENT', '-v needs [SOURCE:]TARGET')
  const parts = text.split(':')
  const [first = '', second, options = '', ...rest] = parts
  if (second === undefined) return { type: 'volume', destination: absoluteTarget(first, text, '-v, --volume'), readonly: false }
  if (rest.length > 0 || first === '' || second === '')
    throw invalidFlag(text, '-v, --volume', 'it must read [SOURCE:]TARGET[:OPTIONS]', 'A path with a colon can be mounted with --mount.')
  if (parts.length === 2 && isOption(second))
    throw invalidFlag(text, '-v, --volume', `"${second}" is an option and not a path`, `Write -v VOLUME:${first}:${second}`)
  // As docker since 23: a path may be relative when it looks like one, else it is the name of a volume.
  const isPath = /^(\/|\.\.?(\/|$))/.test(first)
  if (!isPath && /^~|\//.test(first))
    throw invalidFlag(text, '-v, --volume', 'the source is neither a path nor a name', `Write -v "$PWD/${first}:${second}".`)
  const { readonly, noCopy } = volumeOptions(options, isPath ? 'bind' : 'volume', text)
  if (isPath) return { type: 'bind', source: absoluteSource(first, `-v ${text}`), destination: second, readonly }
  return { type: 'volume', name: first, destination: second, readonly, ...(noCopy ? { noCopy } : {}) }
}

/** A mount with the driver of `--volume-driver`, which is for volumes that name none. */
export function driven(mount: MountRequest, driver: string | undefined): MountRequest {
  return mount.type === 'volume' && driver !== undefined && mount.driver === undefined ? { ...mount, driver } : mount
}

/** What they mean is for machines where containers see the host's files over a network: here there is one file system. */
const CONSISTENCIES = ['cached', 'delegated', 'consistent']
const LABELS = ['z', 'Z']
const SELINUX = '/sys/fs/selinux/enforce'
const PROPAGATIONS = ['private', 'rprivate', 'shared', 'rshared', 'slave', 'rslave']

function isOption(word: string): boolean {
  return ['ro', 'rw', 'U', 'nocopy', ...LABELS, ...CONSISTENCIES, ...PROPAGATIONS].includes(word)
}

function volumeOptions(options: string, type: 'bind' | 'volume', text: string): { readonly readonly: boolean; readonly noCopy: boolean } {
  const words = options.split(',').filter((word) => word !== '')
  for (const word of words) {
    if (word === 'ro' || word === 'rw' || (word === 'nocopy' && type === 'volume')) continue
    if (word === 'nocopy') throw invalidFlag(text, '-v, --volume', 'nocopy is for volumes: nothing is copied into a folder of the host')
    if (CONSISTENCIES.includes(word)) continue
    if (LABELS.includes(word)) assertNothingToLabel(word, text)
    else if (PROPAGATIONS.includes(word) && type === 'bind') assertPropagation(word, `-v ${text}`)
    else if (isOption(word))
      throw notBuilt(`-v ${text}: the option "${word}"`, `There are ro${type === 'volume' ? ', nocopy' : ''} and rw, the default.`)
    else
      throw invalidFlag(
        text,
        '-v, --volume',
        `unknown option "${word}"`,
        `There are ro${type === 'volume' ? ', nocopy' : ''} and rw, the default.`,
      )
  }
  if (words.includes('ro') && words.includes('rw')) throw invalidFlag(text, '-v, --volume', 'it cannot be both ro and rw')
  return { readonly: words.includes('ro'), noCopy: words.includes('nocopy') }
}

/** `type=bind|volume|tmpfs` and what goes with each, comma-separated; a field in double quotes may hold commas, as in CSV. */
export function parseMount(text: string): MountRequest {
  const fields = new MountFields(text)
  const type = fields.take('type') ?? 'volume'
  const target = fields.take('target', 'destination', 'dst')
  const readonly = fields.takeFlag('readonly', 'ro') ?? false
  const consistency = fields.take('consistency')
  if (consistency !== undefined && ![...CONSISTENCIES, 'default'].includes(consistency))
    throw invalidFlag(
      text,
      '--mount',
      `there is no consistency "${consistency}"`,
      `There are ${CONSISTENCIES.join(', ')} and default, all the same here.`,
    )
  if (type === 'npipe' || type === 'cluster' || type === 'image')
    throw notBuilt(`--mount ${text}: the type ${type}`, 'There are bind, volume and tmpfs.')
  if (type !== 'bind' && type !== 'volume' && type !== 'tmpfs')
    throw invalidFlag(text, '--mount', `there is no mount type "${type}"`, 'There are bind, volume and tmpfs.')
  if (target === undefined || target === '')
    throw invalidFlag(text, '--mount', 'target is required', 'Say where it is to be: target=/PATH.')
  const common = { destination: absoluteTarget(target, text, '--mount'), readonly }
  const mount = type === 'bind' ? bindOf(fields, common) : type === 'volume' ? volumeOf(fields, common) : tmpfsOf(fields, common)
  fields.assertNoneLeft(type)
  return mount
}

type Common = Pick<MountRequest, 'destination' | 'readonly'>

function bindOf(fields: MountFields, common: Common): BindMount {
  const { text } = fields
  const source = fields.take('source', 'src')
  if (source === undefined || source === '')
    throw invalidFlag(text, '--mount', 'source is required for type=bind', 'Say what of the host it is: source=PATH.')
  const propagation = fields.take('bind-propagation')
  if (propagation !== undefined) {
    if (!PROPAGATIONS.includes(propagation)) throw invalidFlag(text, '--mount', `there is no bind-propagation "${propagation}"`)
    assertPropagation(propagation, `--mount ${text}`)
  }
  if (fields.takeFlag('bind-create-src') === true) throw notBuilt(`--mount ${text}: bind-create-src`, `Make it first: mkdir -p ${source}`)
  const shallow = fields.takeFlag('bind-nonrecursive') ?? false
  const recursive = fields.take('bind-recursive')
  if (shallow && recursive !== undefined)
    throw invalidFlag(text, '--mount', 'bind-nonrecursive and bind-recursive say the same: leave one out')
  if (recursive === 'writable')
    throw notBuilt(
      `--mount ${text}: bind-recursive=writable`,
      'A read-only bind is read-only all the way down: bind what is to be written on its own.',
    )
  if (recursive !== undefined && !['enabled', 'disabled', 'readonly'].includes(recursive))
    throw invalidFlag(text, '--mount', `there is no bind-recursive "${recursive}"`, 'There are enabled, disabled and readonly.')
  if (recursive === 'readonly' && !common.readonly) throw invalidFlag(text, '--mount', 'bind-recursive=readonly needs readonly')
  const isShallow = shallow || recursive === 'disabled'
  return { type: 'bind', source: absoluteSource(source, `--mount ${text}`), ...common, ...(isShallow ? { recursive: false } : {}) }
}

function volumeOf(fields: MountFields, common: Common): VolumeRequest {
  const name = fields.take('source', 'src') || undefined
  const noCopy = fields.takeFlag('volume-nocopy') ?? false
  const subpath = fields.take('volume-subpath') || undefined
  const driver = fields.take('volume-driver') || undefined
  const labels = fields.takeMap('volume-label')
  const options = fields.takeMap('volume-opt')
  if (subpath?.startsWith('/')) throw invalidFlag(fields.text, '--mount', 'volume-subpath is a relative path')
  return {
    type: 'volume',
    ...common,
    ...(name === undefined ? {} : { name }),
    ...(noCopy ? { noCopy } : {}),
    ...(subpath === undefined ? {} : { subpath }),
    ...(driver === undefined ? {} : { driver }),
    ...(labels === undefined ? {} : { labels }),
    ...(options === undefined ? {} : { options }),
  }
}

function tmpfsOf(fields: MountFields, common: Common): TmpfsMount {
  const { text } = fields
  if (fields.take('source', 'src') !== undefined) throw invalidFlag(text, '--mount', 'a tmpfs has no source')
  const size = fields.take('tmpfs-size')
  const mode = fields.take('tmpfs-mode')
  const sizeBytes = size === undefined ? undefined : parseBytes(size)
  if (sizeBytes === null) throw invalidFlag(text, '--mount', `tmpfs-size "${size}" is no size`, 'Write bytes with a unit: 64m, 1g.')
  if (mode !== undefined && !/^[0-7]{1,5}$/.test(mode)) throw invalidFlag(text, '--mount', `tmpfs-mode "${mode}" is no octal mode`)
  return {
    type: 'tmpfs',
    ...common,
    // As docker, 0 is no limit of its own.
    ...(sizeBytes ? { sizeBytes } : {}),
    ...(mode === undefined ? {} : { mode: Number.parseInt(mode, 8) & 0o7777 }),
  }
}

/** The fields of one `--mount`, taken one after the other: what nobody takes is a mistake. */
class MountFields {
  readonly #fields: (readonly [key: string, value: string | undefined])[]

  constructor(readonly text: string) {
    this.#fields = csvFields(text).map((field) => {
      const at = field.indexOf('=')
      return at < 0 ? [field.toLowerCase(), undefined] : [field.slice(0, at).toLowerCase(), field.slice(at + 1)]
    })
  }

  /** The last value under any of these keys. */
  take(...keys: readonly string[]): string | undefined {
    const [found] = this.#takeAll(keys).slice(-1)
    if (found === undefined) return undefined
    const [key, value] = found
    if (value === undefined) throw invalidFlag(this.text, '--mount', `invalid field '${key}': it must be a key=value pair`)
    return value
  }

  /** A key that means true alone. */
  takeFlag(...keys: readonly string[]): boolean | undefined {
    const [found] = this.#takeAll(keys).slice(-1)
    if (found === undefined) return undefined
    const [key, value = 'true'] = found
    if (/^(1|t|true)$/i.test(value)) return true
    if (/^(0|f|false)$/i.test(value)) return false
    throw invalidFlag(this.text, '--mount', `invalid value for ${key}: ${value}`, 'It is true or false.')
  }

  /** All `key=NAME[=VALUE]`. */
  takeMap(key: string): Readonly<Record<string, string>> | undefined {
    const all = this.#takeAll([key]).map(([, value = '']): readonly [string, string] => {
      const at = value.indexOf('=')
      if (at === 0 || value === '') throw invalidFlag(this.text, '--mount', `${key} needs a name`)
      return at < 0 ? [value, ''] : [value.slice(0, at), value.slice(at + 1)]
    })
    return all.length === 0 ? undefined : Object.fromEntries(all)
  }

  assertNoneLeft(type: string): void {
    const [left] = this.#fields
    if (left === undefined) return
    const [key] = left
    const [owner] = /^(bind|volume|tmpfs|image)(?=-)/.exec(key) ?? []
    if (owner !== undefined && owner !== type)
      throw invalidFlag(this.text, '--mount', `cannot mix '${owner}-*' options with mount type '${type}'`)
    throw invalidFlag(this.text, '--mount', `unknown key '${key}'`)
  }

  #takeAll(keys: readonly string[]) {
    const taken = this.#fields.filter(([key]) => keys.includes(key))
    for (const field of taken) this.#fields.splice(this.#fields.indexOf(field), 1)
    return taken
  }
}

/** One line of CSV (RFC 4180). */
function csvFields(text: string): readonly string[] {
  const fields: string[] = []
  for (let at = 0; at <= text.length; ) {
    const [whole, quoted, plain] = /^(?:"((?:[^"]|"")*)"(?=,|$)|([^",]*)(?=,|$))/.exec(text.slice(at)) ?? []
    if (whole === undefined)
      throw invalidFlag(
        text,
        '--mount',
        'a double quote stands in the middle of a field',
        'Quote a whole field, and double the quotes in it.',
      )
    fields.push(quoted === undefined ? (plain ?? '') : quoted.replaceAll('""', '"'))
    at += whole.length + 1
  }
  return fields
}

/** Docker and podman label files anew for SELinux, and do nothing on a host without it. */
function assertNothingToLabel(word: string, text: string): void {
  if (existsSync(SELINUX))
    throw notBuilt(
      `-v ${text}: the option "${word}" on a host with SELinux`,
      'Label the files yourself: chcon -R -t container_file_t FOLDER.',
    )
}

function assertPropagation(propagation: string, where: string): void {
  if (propagation === 'private' || propagation === 'rprivate') return
  throw notBuilt(
    `${where}: ${propagation} propagation`,
    'What is mounted later, on either side, is not seen on the other: rprivate, the default.',
  )
}

function absoluteTarget(target: string, text: string, flag: string): string {
  if (target.startsWith('/')) return target
  throw invalidFlag(
    text,
    flag,
    `the path in the container must be absolute: "${target}"`,
    `Write where it is to be: ${flag === '--mount' ? `target=/${target}` : `-v ${target}:/${target}`}.`,
  )
}

function absoluteSource(source: string, where: string): string {
  try {
    return resolve(source)
  } catch (cause) {
    throw new EngineError('INVALID_ARGUMENT', `${where}: the current folder no longer exists`, {
      cause,
      hint: 'Change into one that does, or write the whole path.',
    })
  }
}

function notBuilt(what: string, hint: string): EngineError {
  return new EngineError('NOT_BUILT', `${what} is not built yet`, { hint })
}
