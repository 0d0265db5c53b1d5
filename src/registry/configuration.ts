/**
 * What a user can say about registries, in `$XDG_CONFIG_HOME/wolffia/registries.json` (`~/.config/wolffia/registries.json`); without the file
 * everything is as docker has it. Nothing in it is passed over: an unknown member is an error.
 */
import { readFile } from 'node:fs/promises'
import { userInfo } from 'node:os'
import { isAbsolute, join } from 'node:path'
import { EngineError, messageOf } from '../errors.js'
import { parseReference } from '../reference/normalize.js'
import { type Reference, withSuffixes } from '../reference/reference.js'

/** The settings. */
export interface RegistryConfiguration {
  /** Registry of names that say none; `docker.io` unless said. */
  readonly defaultRegistry: string
  /** Full repositories by the short names that mean them: `tools` → `registry.example/team/tools`. */
  readonly shortNames: ReadonlyMap<string, string>
  /** Base URLs that are asked before a registry, by its host. */
  readonly mirrors: ReadonlyMap<string, readonly URL[]>
  /** Hosts (`host` or `host:port`) whose certificate is not checked, and which may speak plain HTTP. */
  readonly insecureRegistries: ReadonlySet<string>
}

const MEMBERS = ['defaultRegistry', 'shortNames', 'mirrors', 'insecureRegistries']

/** Folder of the user's settings, wolffia's and others'. */
export function configurationHome({ XDG_CONFIG_HOME: shared, HOME: home }: NodeJS.ProcessEnv): string {
  return shared && isAbsolute(shared) ? shared : join(home || userInfo().homedir, '.config')
}

/** Folders that may hold certificates of registries, wolffia's own first. */
export function certificateFolders(environment: NodeJS.ProcessEnv): readonly string[] {
  const home = configurationHome(environment)
  return [join(home, 'wolffia'), join(home, 'docker'), join(home, 'containers'), '/etc/docker', '/etc/containers'].map((folder) =>
    join(folder, 'certs.d'),
  )
}

/** Reads the settings. Rejects with INVALID_ARGUMENT, naming the file and the member. */
export async function readConfiguration(environment: NodeJS.ProcessEnv): Promise<RegistryConfiguration> {
  const path = join(configurationHome(environment), 'wolffia/registries.json')
  let text: string
  try {
    text = await readFile(path, 'utf8')
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException
    if (code === 'ENOENT' || code === 'ENOTDIR') return parseConfiguration('{}', path)
    throw new EngineError('INVALID_ARGUMENT', `cannot read ${path}: ${messageOf(cause)}`, { cause })
  }
  return parseConfiguration(text, path)
}

/** The settings in the text of the file `path`. Throws INVALID_ARGUMENT. */
export function parseConfiguration(text: string, path: string): RegistryConfiguration {
  const wrong = (problem: string): never => {
    throw new EngineError('INVALID_ARGUMENT', `${path}: ${problem}`, {
      hint: `It has ${MEMBERS.join(', ')}: {"insecureRegistries": ["registry.example:5000"]}`,
    })
  }
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (cause) {
    return wrong(`not JSON: ${messageOf(cause)}`)
  }
  const members = objectOf(value) ?? wrong('must be an object')
  const unknown = Object.keys(members).find((name) => !MEMBERS.includes(name))
  if (unknown !== undefined) wrong(`there is no setting ${JSON.stringify(unknown)}`)
  const { defaultRegistry = 'docker.io', shortNames = {}, mirrors = {}, insecureRegistries = [] } = members
  return {
    defaultRegistry: isRegistry(defaultRegistry) ? defaultRegistry : wrong('defaultRegistry must be a registry, "registry.example:5000"'),
    shortNames: new Map(
      Object.entries(objectOf(shortNames) ?? wrong('shortNames must be an object')).map(([name, target]) => {
        if (!isRepository(target)) wrong(`shortNames.${name} must be a repository with its registry and without a tag`)
        return [name, String(target)]
      }),
    ),
    mirrors: new Map(
      Object.entries(objectOf(mirrors) ?? wrong('mirrors must be an object')).map(([registry, bases]) => {
        if (!isRegistry(registry)) wrong(`mirrors.${registry} must stand under a registry, "docker.io"`)
        if (!Array.isArray(bases)) return wrong(`mirrors.${registry} must be a list`)
        return [registry, bases.map((base) => mirrorUrl(base) ?? wrong(`mirrors.${registry}: ${JSON.stringify(base)} is no http(s) URL`))]
      }),
    ),
    insecureRegistries: new Set(
      Array.isArray(insecureRegistries) && insecureRegistries.every(isRegistry)
        ? insecureRegistries
        : wrong('insecureRegistries must be a list of hosts, "registry.example:5000"'),
    ),
  }
}

/** The image that a user means by a name that may leave its registry out. Throws INVALID_REFERENCE. */
export function resolveName(typed: string, { shortNames, defaultRegistry }: RegistryConfiguration): Reference {
  const reference = parseReference(typed)
  if (reference.domain !== 'docker.io' || /^(index\.)?docker\.io\//.test(typed)) return reference
  const suffixes = withSuffixes('', reference)
  const name = typed.slice(0, typed.length - suffixes.length)
  const target = shortNames.get(name)
  if (target !== undefined) return parseReference(`${target}${suffixes}`)
  return defaultRegistry === 'docker.io' ? reference : parseReference(`${defaultRegistry}/${name}${suffixes}`)
}

function objectOf(value: unknown): Readonly<Record<string, unknown>> | null {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : null
}

function isRegistry(value: unknown): value is string {
  return typeof value === 'string' && referenceOf(`${value}/name`)?.domain === value
}

function isRepository(value: unknown): boolean {
  const reference = typeof value === 'string' ? referenceOf(value) : null
  return (
    reference !== null && reference.tag === undefined && reference.digest === undefined && value === `${reference.domain}/${reference.path}`
  )
}

function referenceOf(text: string): Reference | null {
  try {
    return parseReference(text)
  } catch {
    return null
  }
}

function mirrorUrl(value: unknown): URL | null {
  if (typeof value !== 'string' || !URL.canParse(value)) return null
  const url = new URL(value)
  const isPlain = url.username === '' && url.password === '' && url.search === '' && url.hash === ''
  return isPlain && (url.protocol === 'https:' || url.protocol === 'http:') ? url : null
}
