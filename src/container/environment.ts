import { EngineError } from '../errors.js'

/** PATH of a Linux container whose image names none, as docker sets it. */
export const DEFAULT_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'

/** What {@link linuxEnvironment} knows beside the image and the caller. */
export interface LinuxEnvironment {
  readonly hostname: string
  readonly home: string
  readonly terminal: boolean
}

/** Variables of a Linux container: docker's own first, then the image's, then the caller's; HOME only where nobody said. */
export function linuxEnvironment(
  image: readonly string[],
  wanted: Readonly<Record<string, string>>,
  { hostname, home, terminal }: LinuxEnvironment,
): readonly string[] {
  const merged = new Map([
    ['PATH', DEFAULT_PATH],
    ['HOSTNAME', hostname],
    ...(terminal ? ([['TERM', 'xterm']] as const) : []),
    ...bareVariables(image, wanted),
  ])
  if (!merged.has('HOME')) merged.set('HOME', home)
  return assignments(merged)
}

/** Variables of a Wasm guest: what the image and the caller give, and nothing else. */
export function bareEnvironment(image: readonly string[], wanted: Readonly<Record<string, string>>): readonly string[] {
  return assignments(bareVariables(image, wanted))
}

function bareVariables(image: readonly string[], wanted: Readonly<Record<string, string>>): ReadonlyMap<string, string> {
  const merged = new Map<string, string>()
  for (const assignment of image) {
    const at = assignment.indexOf('=')
    if (at > 0) merged.set(assignment.slice(0, at), assignment.slice(at + 1))
  }
  for (const [name, value] of Object.entries(wanted)) {
    if (name === '' || /[=\0]/.test(name) || value.includes('\0'))
      throw new EngineError('INVALID_ARGUMENT', `invalid environment variable: ${JSON.stringify(`${name}=${value}`)}`, { data: { name } })
    merged.set(name, value)
  }
  return merged
}

function assignments(variables: ReadonlyMap<string, string>): readonly string[] {
  return [...variables].map(([name, value]) => `${name}=${value}`)
}
