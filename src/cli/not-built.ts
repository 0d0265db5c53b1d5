/**
 * What docker's command line knows and wolffia does not yet: each fails by its name with the way out, so that nothing is silently
 * ignored. A command or flag that gets built leaves this list.
 */
import type { Command } from 'commander'
import { EngineError } from '../errors.js'

/** Flag of docker's in commander's notation, and what to do instead. */
export type NotBuiltFlag = readonly [flags: string, wayOut: string]

const WINDOWS = 'It is for Windows containers, which wolffia does not run.'
const CGROUP_PARENT =
  'Its group is made below the one that wolffia is in: start wolffia in a group of yours below that one (systemd-run --user --scope --slice=NAME -p Delegate=yes wolffia …).'
const REAL_TIME =
  'Only root hands out real-time processor time, of version 1 and of a kernel with CONFIG_RT_GROUP_SCHED, and no container of a user may ask for it. --cpu-shares is its weight among others.'
const KERNEL_MEMORY = 'Kernels since 6.1 have no such limit any more: --memory counts what the kernel takes for it, too.'
const NETWORKS = 'There is --network none, the default, and --network host.'
const FOREGROUND = 'A container keeps its files when it stops, and no more.'
const HEALTH = 'The first check comes after --health-interval.'
const NO_CONTENT_TRUST = 'There is no content trust to disable; every blob is checked by its digest.'
const DEVICES = 'Give a device that you may open by its path, with --device.'
const PRIVILEGES = 'Leave it out: nothing here gives a program capabilities of the host. `run` has --cap-add and --security-opt.'

/** Flags of `docker run` that are not built. */
export const NOT_BUILT_RUN_FLAGS: readonly NotBuiltFlag[] = [
  ['--cgroup-parent <string>', CGROUP_PARENT],
  ['--cpu-count <n>', WINDOWS],
  ['--cpu-percent <n>', WINDOWS],
  ['--cpu-rt-period <n>', REAL_TIME],
  ['--cpu-rt-runtime <n>', REAL_TIME],
  ['--device-cgroup-rule <list>', DEVICES],
  ['--disable-content-trust', NO_CONTENT_TRUST],
  ['--dns <list>', NETWORKS],
  ['--dns-option <list>', NETWORKS],
  ['--dns-search <list>', NETWORKS],
  ['--domainname <string>', 'Give the whole name to -h, --hostname.'],
  ['--expose <list>', NETWORKS],
  ['--gpus <request>', DEVICES],
  ['--health-start-interval <duration>', HEALTH],
  ['--io-maxbandwidth <bytes>', WINDOWS],
  ['--io-maxiops <n>', WINDOWS],
  ['--ip <string>', NETWORKS],
  ['--ip6 <string>', NETWORKS],
  ['--isolation <string>', WINDOWS],
  ['--kernel-memory <bytes>', KERNEL_MEMORY],
  ['--link <list>', NETWORKS],
  ['--link-local-ip <list>', NETWORKS],
  ['--mac-address <string>', NETWORKS],
  ['--network-alias <list>', NETWORKS],
  ['-p, --publish <list>', NETWORKS],
  ['-P, --publish-all', NETWORKS],
  ['--use-api-socket', 'wolffia has no daemon and no socket.'],
]

/** Flags of `volume create` that are about a swarm. */
const CLUSTER_VOLUME = [
  '--availability <string>',
  '--group <string>',
  '--limit-bytes <bytes>',
  '--required-bytes <bytes>',
  '--scope <string>',
  '--secret <map>',
  '--sharing <string>',
  '--topology-preferred <list>',
  '--topology-required <list>',
  '--type <type>',
]

const NO_CACHE = 'Leave it out: there is no cache yet, every step is run.'
const NO_ATTESTATION = 'Leave it out: no attestation is made.'
const BUILD_OUTPUT = 'The image goes into the store, an OCI layout that skopeo and umoci read.'

/** Flags of `docker build` that are not built. */
export const NOT_BUILT_BUILD_FLAGS: readonly NotBuiltFlag[] = [
  ['--add-host <list>', 'Write into /etc/hosts within the RUN that needs it.'],
  ['--allow <list>', 'Leave it out: a RUN gets nothing of the host but its network, with --network host.'],
  ['--annotation <list>', 'Use --label instead.'],
  ['--attest <list>', NO_ATTESTATION],
  ['--build-context <list>', 'Put all that is copied below one folder, and COPY --from=IMAGE for what is in an image.'],
  ['--builder <string>', 'There is one builder: leave it out.'],
  ['--cache-from <list>', NO_CACHE],
  ['--cache-to <list>', NO_CACHE],
  ['--call <string>', 'Leave it out: a mistake is told before the first step is run.'],
  ['--cgroup-parent <string>', CGROUP_PARENT],
  ['--check', 'Leave it out: a mistake is told before the first step is run.'],
  ['--compress', 'Leave it out: there is no daemon to send the context to.'],
  ['--disable-content-trust', NO_CONTENT_TRUST],
  ['--force-rm', 'Leave it out: containers of a build are always removed.'],
  ['--isolation <string>', WINDOWS],
  ['--load', BUILD_OUTPUT],
  ['--metadata-file <file>', 'Use --iidfile for the id of the image.'],
  ['--no-cache-filter <list>', NO_CACHE],
  ['-o, --output <list>', BUILD_OUTPUT],
  ['--provenance <string>', NO_ATTESTATION],
  ['--rm', 'Leave it out: containers of a build are always removed.'],
  ['--sbom <string>', NO_ATTESTATION],
  ['--secret <list>', 'COPY what is secret into a stage of its own, and from there only what it made.'],
  ['--security-opt <list>', PRIVILEGES],
  ['--squash', 'COPY --from the last stage into FROM scratch.'],
  ['--ssh <list>', 'Fetch what it is for beside the Dockerfile, and COPY it.'],
]

/** Flags of `docker update` that are not built. */
const NOT_BUILT_UPDATE_FLAGS: readonly NotBuiltFlag[] = [
  ['--cpu-rt-period <n>', REAL_TIME],
  ['--cpu-rt-runtime <n>', REAL_TIME],
  ['--kernel-memory <bytes>', KERNEL_MEMORY],
]

const NO_CHECKPOINT = 'Leave it out: a container cannot be put to sleep on a disk.'

/** Flags of docker's other commands that are not built, by command. */
const NOT_BUILT_FLAGS: Readonly<Record<string, readonly NotBuiltFlag[]>> = {
  run: NOT_BUILT_RUN_FLAGS,
  create: NOT_BUILT_RUN_FLAGS,
  start: [
    ['--checkpoint <string>', NO_CHECKPOINT],
    ['--checkpoint-dir <folder>', NO_CHECKPOINT],
  ],
  exec: [['--privileged', PRIVILEGES]],
  logs: [['--details', 'Leave it out: json-file keeps no details of a line.']],
  update: NOT_BUILT_UPDATE_FLAGS,
  images: [['--tree', 'The last column shows the platforms of each image.']],
  'image ls': [['--tree', 'The last column shows the platforms of each image.']],
  'image build': NOT_BUILT_BUILD_FLAGS,
  build: NOT_BUILT_BUILD_FLAGS,
  pull: [['--disable-content-trust', NO_CONTENT_TRUST]],
  'image pull': [['--disable-content-trust', NO_CONTENT_TRUST]],
  push: [['--disable-content-trust', NO_CONTENT_TRUST]],
  'image push': [['--disable-content-trust', NO_CONTENT_TRUST]],
  load: [['--platform <os/arch>', 'Leave it out: all platforms of an archive are loaded, and `run --platform` chooses.']],
  rm: [['-l, --link', 'Leave it out: containers are not linked.']],
  rmi: [
    ['--no-prune', 'Leave it out: what other images use is kept.'],
    ['--platform <os/arch>', 'Remove the whole image, and load the one platform again.'],
  ],
  'volume ls': [['--cluster', 'wolffia has no swarm.']],
  'volume create': CLUSTER_VOLUME.map((flag) => [flag, 'It is for the cluster volumes of a swarm.']),
}

/** Flags of a command that are not built; those of `container run` are those of `run`. */
export function notBuiltFlags(command: string): readonly NotBuiltFlag[] {
  return (
    NOT_BUILT_FLAGS[command] ?? NOT_BUILT_FLAGS[command.replace(/^container (ls$)?/, (_all, ls) => (ls === undefined ? '' : 'ps'))] ?? []
  )
}

/** Has the parser know flags that are not built, so that each fails by its name with the way out. */
export function addNotBuilt(parser: Command, flags: readonly NotBuiltFlag[]): void {
  for (const [notation, wayOut] of flags) {
    const option = parser.createOption(notation).hideHelp()
    parser.addOption(option)
    parser.on(`option:${option.name()}`, () => {
      throw new EngineError('NOT_BUILT', `${option.long} is not built yet`, { hint: wayOut, data: { flag: option.long } })
    })
  }
}

const NO_DAEMON = 'There is no daemon to talk to: leave it out.'

/** Flags that docker takes before the command, and what to do instead. */
const NOT_BUILT_GLOBAL_FLAGS: readonly NotBuiltFlag[] = [
  ['--config <folder>', 'No settings are read: leave it out. $WOLFFIA_HOME says where images and containers are kept.'],
  ['-c, --context <name>', NO_DAEMON],
  ['-H, --host <socket>', NO_DAEMON],
  ['-l, --log-level <level>', 'Leave it out; --debug shows the causes of an error.'],
  ['--tls', NO_DAEMON],
  ['--tlscacert <file>', NO_DAEMON],
  ['--tlscert <file>', NO_DAEMON],
  ['--tlskey <file>', NO_DAEMON],
  ['--tlsverify', NO_DAEMON],
]

/** The flag of docker's own, before the command, that a word is (`--host=tcp://x`, `-Htcp://x`), and the way out. */
export function notBuiltGlobalFlag(word: string): { readonly flag: string; readonly wayOut: string } | undefined {
  const name = word.startsWith('--') ? word.replace(/=.*/s, '') : word.slice(0, 2)
  for (const [notation, wayOut] of NOT_BUILT_GLOBAL_FLAGS)
    if (notation.split(/,? /).includes(name)) return { flag: /--[a-z-]+/.exec(notation)?.[0] ?? name, wayOut }
  return undefined
}

/** What to do instead of a command of docker's that is not built; undefined for one that docker does not have. */
export function wayOutOf(command: string): string | undefined {
  if (!Object.hasOwn(NOT_BUILT_COMMANDS, command)) return undefined
  return NOT_BUILT_COMMANDS[command]
}

const LIST = '`wolffia ps` lists containers, `wolffia images` images.'
const REMOVE = '`wolffia rm` removes containers, `wolffia rmi` images.'
const NO_PODS = 'There are no pods: start each container with `wolffia run`.'
const EXISTS = '`wolffia inspect --type KIND NAME` ends with 1 when there is none.'

/** Commands that docker does not have and fingers type all the same, podman's most of them, and what to do instead. No help lists them. */
const FOREIGN_COMMANDS: Readonly<Record<string, string>> = {
  'auto-update': '`wolffia pull NAME`, then remove the container and run it again.',
  'container exists': EXISTS,
  delete: REMOVE,
  generate: 'systemd starts `wolffia run` as it stands.',
  healthcheck: "`wolffia inspect -f '{{.State.Health.Status}}' NAME` says what --health-cmd has found.",
  'image exists': EXISTS,
  init: '`wolffia create` makes a container, and `wolffia start` starts it.',
  kube: NO_PODS,
  list: LIST,
  ls: LIST,
  machine: 'There is no machine: containers run on this one.',
  mount: '`wolffia export NAME` and `wolffia cp NAME:PATH PLACE` have its files.',
  play: NO_PODS,
  pod: NO_PODS,
  remove: REMOVE,
  unmount: 'Nothing is mounted here for anybody to see.',
  unshare: '`wolffia run -v FOLDER:/x` enters the user namespace.',
  untag: '`wolffia rmi NAME` takes away a name, and the image with its last.',
  'volume exists': EXISTS,
}

/** What to do instead of a command that docker does not have; undefined for one of which nothing is known. */
export function wayOutOfForeign(command: string): string | undefined {
  return Object.hasOwn(FOREIGN_COMMANDS, command) ? FOREIGN_COMMANDS[command] : undefined
}

/** Commands of docker that are not built, and what to do instead. */
export const NOT_BUILT_COMMANDS: Readonly<Record<string, string>> = {
  bake: 'Call `wolffia build` once for each target.',
  builder: 'Use `wolffia build`; there is no cache to prune.',
  buildx: 'Use `wolffia build`.',
  checkpoint: FOREGROUND,
  compose: 'Start each service with `wolffia run`.',
  config: 'wolffia has no swarm.',
  context: 'wolffia has no daemon to choose.',
  'manifest annotate': '`wolffia build --platform` writes what an image is for into its index.',
  'manifest create': '`wolffia build --platform linux/amd64,wasi/wasm` makes an index of several platforms under one name.',
  'manifest push': '`wolffia push` gives an index to its registry with all its platforms that are here.',
  'manifest rm': '`wolffia rmi` removes an index as any image.',
  network: NETWORKS,
  node: 'wolffia has no swarm.',
  plugin: 'wolffia has no plugins.',
  prune: 'Use `wolffia system prune`, `wolffia container prune`, `wolffia image prune` or `wolffia volume prune`.',
  secret: 'wolffia has no swarm.',
  service: 'wolffia has no swarm.',
  stack: 'wolffia has no swarm.',
  swarm: 'wolffia has no swarm.',
  trust: 'Every blob is checked by its digest; signatures are not.',
  'volume update': 'It is for the cluster volumes of a swarm.',
}
