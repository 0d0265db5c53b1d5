import { isIP } from 'node:net'
import { resolve } from 'node:path'
import type { Command } from 'commander'
import type { ContainerOptions } from '../engine/containers.js'
import type { PullPolicy } from '../engine/image-pulls.js'
import { EngineError } from '../errors.js'
import type { CliOptions } from './command.js'
import { definedOnly } from './defined-only.js'
import type { Shown } from './foreground.js'
import { wrapped } from './help.js'
import { invalidFlag } from './invalid-flag.js'
import { addLifeFlags, lifeOptions } from './life-options.js'
import { runLimitsOf } from './limit-flags.js'
import { driven, parseMount, parseVolume } from './mount-flags.js'
import { environmentOf, labelsOf } from './name-value-flags.js'
import { NOT_BUILT_RUN_FLAGS } from './not-built.js'
import { addPrivilegeFlags, privilegeOptions } from './privilege-flags.js'
import { addResourceFlags, resourceOptions } from './resource-flags.js'

const collect = (value: string, before: readonly string[] | undefined) => [...(before ?? []), value]

/** Adds the flags that `run` and `create` share. */
export function addCreateFlags(parser: Command): void {
  addLifeFlags(parser)
  addPrivilegeFlags(parser)
  addResourceFlags(parser)
  parser
    .option('--add-host <host:ip>', 'one more line of /etc/hosts', collect)
    .option('--annotation <NAME[=VALUE]>', "an annotation of the container's spec", collect)
    .option('-a, --attach <stream>', 'take part in stdin, stdout or stderr only', collect)
    .option('--cpus <n>', 'processors at most: 0.5, 2')
    .option('-e, --env <NAME[=VALUE]>', 'set a variable, or pass on the one of that name', collect)
    .option('--env-file <file>', 'read variables from a file', collect)
    .option('--deterministic', 'Wasm: the same run each time, with stepped clocks and seeded chance; --deterministic=SEED for another')
    .addOption(parser.createOption('--deterministic-seed <seed>').hideHelp())
    .option('--entrypoint <program>', "replace the image's entrypoint; empty for none")
    .option('--fuel <n>', 'Wasm: instructions at most, then it ends as out of fuel: 5000000, 50m, 1g')
    .option('--group-add <group>', "one more group of the user's, by name or number", collect)
    .option('-h, --hostname <name>', "the container's host name")
    .option('--init', 'changes nothing: every native container has an init')
    .option('-i, --interactive', 'keep stdin open')
    .option('-l, --label <NAME[=VALUE]>', 'set a label on the container', collect)
    .option('--label-file <file>', 'read labels from a file', collect)
    .option('-m, --memory <bytes>', 'memory at most: 64m, 1g')
    .option('--mount <mount>', 'mount by name: type=bind|volume|tmpfs,source=…,target=…,readonly', collect)
    .option('--name <name>', 'name of the container')
    .option('--network <none|host>', 'none (a loopback of its own) unless said')
    .option('--pids-limit <n>', 'processes and threads at most')
    .option('--platform <os/arch>', "which of the image's platforms: linux/amd64, wasi/wasm")
    .option('--pull <always|missing|never>', 'pull the image first; only a missing one unless said')
    .option('-q, --quiet', 'show nothing of a pull')
    .option('--read-only', 'a root that cannot be written')
    .option('--record <file>', 'Wasm: write down all that the program is answered, for wolffia replay')
    .option('--require <aspects>', 'refuse to run unless these are in force: seccomp,netns,memory', collect)
    .option('--rm', 'remove the container when it ends')
    .option('--runtime <auto|native|wasm>', 'the wall; auto looks at the program')
    .option('--storage-opt <size=bytes>', 'what the container may write at most: size=1g', collect)
    .option('--timeout <duration>', 'kill it after that: 10s, 500ms, 1h30m')
    .option('--tmpfs <path[:options]>', 'mount a tmpfs: /run:size=64m,mode=1777', collect)
    .option('-t, --tty', 'a terminal as stdio')
    .option('-u, --user <user[:group]>', 'name or number')
    .option('-v, --volume <[source:]path[:ro]>', 'mount a folder or file of the host, or a volume by its name', collect)
    .option('--volume-driver <name>', 'who keeps the volumes: local')
    .option('--volumes-from <container[:ro]>', 'mount what that container has mounted', collect)
    .option('--wasi-engine <wolffia|wasmer>', 'whose WASI a module is linked with; wolffia unless said')
    .option('-w, --workdir <path>', 'working directory')
    .addOption(parser.createOption('--net <network>').hideHelp())
  parser.addHelpText('after', () => {
    const names = NOT_BUILT_RUN_FLAGS.map(([flags]) => /--[a-z0-9-]+/.exec(flags)?.[0] ?? '')
    return `\nKnown from docker, not built yet; each says what to do instead:\n${wrapped(names)}`
  })
}

/** Adds the flags of `run`. */
export function addRunFlags(parser: Command): void {
  addCreateFlags(parser)
  parser
    .option('-d, --detach', "go on in the background, and print the container's id")
    .option('--detach-keys <keys>', 'what leaves a terminal without ending the container; ctrl-p,ctrl-q unless said')
    .option('--sig-proxy', 'signals to this command go to the container; with --sig-proxy=false they end the command alone')
    .addOption(parser.createOption('--no-sig-proxy').hideHelp())
    .option('--lazy', 'start before the image is here, and read its files as they are wanted: with --rm, for eStargz layers, Wasm wall')
    .option('--receipt', 'print what isolation is in force, as JSON on stderr; --receipt=FILE writes a file')
    .addOption(parser.createOption('--receipt-file <file>').hideHelp())
    .option('--why', 'at the end, list on stderr which system calls its filter refused; --why=FILE writes JSON')
    .addOption(parser.createOption('--why-file <file>').hideHelp())
}

/** `--receipt=FILE`, `--why=FILE` and `--deterministic=SEED` as the hidden flags they are: a value only ever follows `=`, so that `--receipt IMAGE` stays two words. */
export function rewriteValues(words: readonly string[]): readonly string[] {
  return words.map((word) => word.replace(/^--(receipt|why)=/, '--$1-file=').replace(/^--deterministic=/, '--deterministic-seed='))
}

/** What the flags and words of `run` ask the engine for. */
export function createOptions(positional: readonly string[], options: CliOptions, environment: NodeJS.ProcessEnv): ContainerOptions {
  const [image = '', ...command] = positional
  attachedStreams(options)
  // As docker: an empty value is none. Only an empty entrypoint says something.
  const text = (name: string) => (options[name] as string | undefined) || undefined
  const list = (name: string) => (options[name] as readonly string[] | undefined) ?? []
  const entrypoint = options.entrypoint as string | undefined
  return definedOnly({
    image,
    command: command.length > 0 ? command : undefined,
    entrypoint: entrypoint === undefined ? undefined : entrypoint === '' ? [] : [entrypoint],
    env: environmentOf(list('envFile'), list('env'), environment),
    workingDir: text('workdir'),
    user: userOf(text('user')),
    additionalGroups: list('groupAdd'),
    extraHosts: list('addHost').map(hostOf),
    hostname: text('hostname'),
    name: text('name'),
    mounts: [...list('volume').map(parseVolume), ...list('mount').map(parseMount)].map((mount) => driven(mount, text('volumeDriver'))),
    volumesFrom: list('volumesFrom'),
    tmpfs: tmpfsOf(list('tmpfs')),
    network: networkOf(text('network') ?? text('net')),
    limits: runLimitsOf(options),
    resources: someOf(resourceOptions(options)),
    deterministic: deterministicOf(options),
    recording: recordingOf(text('record')),
    readonlyRootfs: options.readOnly === true,
    privileges: privilegeOptions(options),
    runtime: runtimeOf(text('runtime')),
    wasiEngine: wasiEngineOf(text('wasiEngine')),
    platform: text('platform'),
    pull: pullPolicyOf(text('pull')),
    tty: options.tty === true,
    openStdin: options.interactive === true,
    autoRemove: options.rm === true,
    require: list('require'),
    annotations: Object.fromEntries(list('annotation').map(annotationOf)),
    labels: labelsOf(list('labelFile'), list('label')),
    ...lifeOptions(options),
  })
}

/** As docker takes them: `NAME` alone has an empty value. */
function annotationOf(text: string): readonly [name: string, value: string] {
  const [, name = '', value = ''] = /^([^=]*)=?(.*)$/s.exec(text) ?? []
  if (name === '') throw invalidFlag(text, '--annotation', 'an annotation needs a name', 'Write --annotation NAME=VALUE.')
  return [name, value]
}

/** What -a, --attach says. Throws INVALID_ARGUMENT, and NOT_BUILT for stdin alone. */
export function attachedStreams({ attach }: CliOptions): Shown {
  const given = (attach as readonly string[] | undefined) ?? []
  const streams = given.map((name) => name.toLowerCase())
  const unknown = given.find((_name, at) => !['stdin', 'stdout', 'stderr'].includes(streams[at] ?? ''))
  if (unknown !== undefined) throw invalidFlag(unknown, '-a, --attach', 'valid streams are STDIN, STDOUT and STDERR')
  if (streams.length === 0) return { stdout: true, stderr: true }
  if (streams.every((name) => name === 'stdin'))
    throw new EngineError('NOT_BUILT', '--attach stdin alone is not built yet', {
      hint: 'Attach stdout too and send it to /dev/null: wolffia run -i -a stdout … >/dev/null',
    })
  return { stdout: streams.includes('stdout'), stderr: streams.includes('stderr') }
}

function userOf(user: string | undefined): string | undefined {
  if (user !== undefined && user.split(':').length > 2)
    throw invalidFlag(user, '-u, --user', 'write USER[:GROUP]', 'A name or a number each: -u 1000:1000.')
  return user
}

/** When an image is pulled: `missing` unless said, as docker has it. */
function pullPolicyOf(policy: string | undefined): PullPolicy {
  if (policy === undefined) return 'missing'
  if (policy === 'always' || policy === 'missing' || policy === 'never') return policy
  throw invalidFlag(policy, '--pull', 'must be one of "always", "missing" or "never"')
}

/** `name:ip`, `name=ip` and `name:[ip]` as docker takes them. */
function hostOf(text: string): { readonly name: string; readonly address: string } {
  const [, name = '', given = ''] = /^([^:=]*)[:=](.*)$/s.exec(text) ?? []
  const address = given.replace(/^\[(.*)\]$/, '$1')
  if (address === 'host-gateway')
    throw new EngineError('NOT_BUILT', '--add-host NAME:host-gateway is not built yet', {
      hint: 'There is no network that leads to the host.',
    })
  if (name === '' || /\s/.test(name) || isIP(address) === 0)
    throw invalidFlag(
      text,
      '--add-host',
      `invalid IP address in add-host: "${address}"`,
      'Write --add-host NAME:ADDRESS, 192.0.2.1 or [2001:db8::1].',
    )
  return { name, address }
}

function tmpfsOf(values: readonly string[]): Readonly<Record<string, string>> {
  const result: Record<string, string> = {}
  for (const value of values) {
    const at = value.indexOf(':')
    const destination = at < 0 ? value : value.slice(0, at)
    if (Object.hasOwn(result, destination)) throw invalidFlag(value, '--tmpfs', `${destination} is mounted twice`)
    result[destination] = at < 0 ? '' : value.slice(at + 1)
  }
  return result
}

function networkOf(name: string | undefined): 'none' | 'host' | undefined {
  if (name === undefined || name === 'none' || name === 'host') return name
  const isDockers = /^(bridge|default|container:.*)$/.test(name)
  throw new EngineError(
    isDockers ? 'NOT_BUILT' : 'INVALID_ARGUMENT',
    isDockers ? `--network ${name} is not built yet` : `there is no network ${name}`,
    {
      hint: 'There is none, the default, with a loopback of its own, and host, which is no isolation at all.',
      data: { network: name },
    },
  )
}

function wasiEngineOf(name: string | undefined): 'wolffia' | 'wasmer' | undefined {
  if (name === undefined || name === 'wolffia' || name === 'wasmer') return name
  throw invalidFlag(name, '--wasi-engine', 'there is no such engine', 'Engines are wolffia, the default, and wasmer.')
}

function runtimeOf(name: string | undefined): 'auto' | 'native' | 'wasm' | undefined {
  if (name === undefined || name === 'auto' || name === 'native' || name === 'wasm') return name
  throw invalidFlag(name, '--runtime', 'there is no such wall', 'Walls are native and wasm; auto, the default, looks at the program.')
}

/** Without a seed of the user's there is one all the same: two runs are alike. */
function deterministicOf({ deterministic, deterministicSeed }: CliOptions): { readonly seed: string } | undefined {
  if (deterministicSeed !== undefined) return { seed: String(deterministicSeed) }
  return deterministic === true ? { seed: '' } : undefined
}

function recordingOf(file: string | undefined): { readonly mode: 'record'; readonly path: string } | undefined {
  return file === undefined ? undefined : { mode: 'record', path: resolve(file) }
}

/** Nothing when it has no members. */
function someOf<T extends object>(members: T): T | undefined {
  return Object.keys(members).length > 0 ? members : undefined
}
