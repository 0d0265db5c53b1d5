import type { Command } from 'commander'

/** One command of the command line: what its file under `commands/` exports. */
export interface CliCommand {
  /** Arguments as the usage line shows them: `IMAGE [COMMAND] [ARG...]`. */
  readonly usage: string
  /** Fewest and most arguments. */
  readonly arity: readonly [least: number, most: number]
  /** Its arguments end with a program's own words: options of the command's own stand before the first argument. */
  readonly takesProgram?: true
  /** Adds options and help. */
  configure(parser: Command): void
  /** Changes words before they are parsed. Only for a command whose arguments are the last words as they stand. */
  rewrite?(words: readonly string[]): readonly string[]
  /** Does it. Resolves with the exit code, or nothing for 0. */
  run(positional: readonly string[], options: CliOptions): Promise<number | undefined>
}

/** Options as commander names them: `--read-only` is `readOnly`. */
export type CliOptions = Readonly<Record<string, unknown>>

/** Where a command is found, and its line in `wolffia help`. */
export interface CommandEntry {
  readonly summary: string
  /** For programs and not for people: no list shows it. */
  readonly isHidden?: boolean
  readonly load: () => Promise<{ readonly command: CliCommand }>
}

/** Commands under one word: `wolffia volume ls`. Alone, or with `--help`, the word prints what it has. */
export interface CommandGroup {
  readonly summary: string
  /** By their last word, in the order help lists them. */
  readonly commands: Readonly<Record<string, CommandEntry>>
  /** Docker's other words for them: `list` for `ls`. */
  readonly aliases?: Readonly<Record<string, string>>
}

const volumes = () => import('./commands/volume.js')

const pausing = () => import('./commands/pause.js')

/** A container's life, as its commands stand alone and in the group `container`. */
const LIFE: Readonly<Record<string, CommandEntry>> = {
  learn: { summary: 'Run a program and write down the least seccomp profile it needs', load: () => import('./commands/learn.js') },
  replay: { summary: 'Run a recorded Wasm program again, from its recording alone', load: () => import('./commands/replay.js') },
  run: { summary: 'Run a program of an image in a new container', load: () => import('./commands/run.js') },
  create: { summary: 'Make a container without starting it', load: () => import('./commands/create.js') },
  snapshot: { summary: 'Make an image that begins where its module has initialised itself', load: () => import('./commands/snapshot.js') },
  start: { summary: 'Start containers, again or for the first time', load: () => import('./commands/start.js') },
  exec: { summary: 'Run one more program in a container that runs', load: () => import('./commands/exec.js') },
  attach: { summary: 'Take part in the input and output of a container', load: () => import('./commands/attach.js') },
  logs: { summary: 'Show what a container has written', load: () => import('./commands/logs.js') },
  ps: { summary: 'List containers', load: () => import('./commands/ps.js') },
  stop: { summary: 'Ask containers to end, and kill those that do not', load: () => import('./commands/stop.js') },
  kill: { summary: 'Send containers a signal', load: () => import('./commands/kill.js') },
  restart: { summary: 'Stop containers and start them', load: () => import('./commands/restart.js') },
  pause: { summary: 'Stop all processes of containers where they are', load: async () => ({ command: (await pausing()).pause }) },
  unpause: { summary: 'Let them go on', load: async () => ({ command: (await pausing()).unpause }) },
  wait: { summary: 'Wait until containers have ended', load: () => import('./commands/wait.js') },
  rename: { summary: 'Give a container another name', load: () => import('./commands/rename.js') },
  update: { summary: 'Change how containers are restarted', load: () => import('./commands/update.js') },
  rm: { summary: 'Remove containers', load: () => import('./commands/rm.js') },
}

/** What can be seen of a container, likewise. */
const LOOKS: Readonly<Record<string, CommandEntry>> = {
  top: { summary: 'Show the processes of a container', load: () => import('./commands/top.js') },
  stats: { summary: 'Show what containers use, again and again', load: () => import('./commands/stats.js') },
  diff: { summary: 'Show what a container has changed of its files', load: () => import('./commands/diff.js') },
  port: { summary: 'Show which ports lead into a container', load: () => import('./commands/port.js') },
}

/** What goes out of a container and into it, likewise. */
const FILES: Readonly<Record<string, CommandEntry>> = {
  commit: { summary: 'Make an image of a container', load: () => import('./commands/commit.js') },
  cp: { summary: 'Copy files out of a container or into it', load: () => import('./commands/cp.js') },
  export: { summary: 'Write all files of a container as a tar', load: () => import('./commands/export.js') },
}

/** Images, likewise alone under docker's older words. */
const IMAGES: Readonly<Record<string, CommandEntry>> = {
  images: { summary: 'List images', load: () => import('./commands/images.js') },
  pull: { summary: 'Bring an image from its registry', load: () => import('./commands/pull.js') },
  push: { summary: 'Give an image to its registry', load: () => import('./commands/push.js') },
  load: { summary: 'Load images from an OCI or docker archive', load: () => import('./commands/load.js') },
  save: { summary: 'Write images to a tar that docker and others load', load: () => import('./commands/save.js') },
  import: { summary: 'Make an image of a root tar or a .wasm module', load: () => import('./commands/import.js') },
  build: { summary: 'Build an image of a Dockerfile', load: () => import('./commands/build.js') },
  tag: { summary: 'Give an image another name', load: () => import('./commands/tag.js') },
  history: { summary: 'Show how an image came to be', load: () => import('./commands/history.js') },
  rmi: { summary: 'Remove images', load: () => import('./commands/rmi.js') },
}

/** The whole of it, likewise. */
const SYSTEM: Readonly<Record<string, CommandEntry>> = {
  events: { summary: 'Show what happens to containers, images and volumes', load: () => import('./commands/events.js') },
  info: { summary: 'Show what is here, and behind which walls', load: () => import('./commands/info.js') },
}

/** `inspect` for one kind alone. */
async function inspecting(type: 'container' | 'image'): Promise<{ readonly command: CliCommand }> {
  const { command } = await import('./commands/inspect.js')
  return { command: { ...command, run: (names, options) => command.run(names, { ...options, type }) } }
}

function without(commands: Readonly<Record<string, CommandEntry>>, ...left: readonly string[]): Readonly<Record<string, CommandEntry>> {
  return Object.fromEntries(Object.entries(commands).filter(([name]) => !left.includes(name)))
}

/** All commands that are built, in the order `wolffia help` lists them. Each is loaded only when it is called. */
export const COMMANDS: Readonly<Record<string, CommandEntry | CommandGroup>> = {
  ...LIFE,
  ...LOOKS,
  ...FILES,
  ...IMAGES,
  inspect: { summary: 'Show images and containers in full', load: () => import('./commands/inspect.js') },
  login: { summary: 'Keep the password of a registry', load: () => import('./commands/login.js') },
  logout: { summary: 'Forget the password of a registry', load: () => import('./commands/logout.js') },
  search: { summary: 'Show what a registry has', load: () => import('./commands/search.js') },
  ...SYSTEM,
  container: {
    summary: 'The commands of containers, under one word',
    commands: {
      ...without(LIFE, 'ps'),
      ...LOOKS,
      ...FILES,
      inspect: { summary: 'Show containers in full', load: () => inspecting('container') },
      ls: { summary: 'List containers', load: () => import('./commands/ps.js') },
      prune: { summary: 'Remove containers that do not run', load: () => import('./commands/container-prune.js') },
    },
    aliases: { list: 'ls', ps: 'ls', remove: 'rm' },
  },
  image: {
    summary: 'The commands of images, under one word',
    commands: {
      ...without(IMAGES, 'images', 'rmi'),
      inspect: { summary: 'Show images in full', load: () => inspecting('image') },
      ls: { summary: 'List images', load: () => import('./commands/images.js') },
      prune: { summary: 'Remove images that are not used', load: () => import('./commands/image-prune.js') },
      rm: { summary: 'Remove images', load: () => import('./commands/rmi.js') },
    },
    aliases: { list: 'ls', remove: 'rm' },
  },
  manifest: {
    summary: 'Look at what a registry has under a name',
    commands: {
      inspect: { summary: 'Show the manifest or the index of an image', load: () => import('./commands/manifest-inspect.js') },
    },
  },
  system: {
    summary: 'The commands of all that is here, under one word',
    commands: {
      check: { summary: 'Say what is damaged of all that is kept, and mend it', load: () => import('./commands/system-check.js') },
      df: { summary: 'Show what takes how much of the disk', load: () => import('./commands/system-df.js') },
      ...SYSTEM,
      prune: { summary: 'Remove what is not used', load: () => import('./commands/system-prune.js') },
    },
  },
  volume: {
    summary: 'Keep data beyond the life of a container',
    commands: {
      create: { summary: 'Make a volume', load: async () => ({ command: (await volumes()).create }) },
      inspect: { summary: 'Show volumes in full', load: async () => ({ command: (await volumes()).inspect }) },
      ls: { summary: 'List volumes', load: async () => ({ command: (await volumes()).list }) },
      prune: { summary: 'Remove volumes that no container has', load: async () => ({ command: (await volumes()).prune }) },
      rm: { summary: 'Remove volumes', load: async () => ({ command: (await volumes()).remove }) },
    },
    aliases: { list: 'ls', remove: 'rm' },
  },
  doctor: { summary: 'Try what this host can do and say what mends it', load: () => import('./commands/doctor.js') },
  bench: { summary: 'Measure what isolation costs here, and what it protects', load: () => import('./commands/bench.js') },
  demo: { summary: 'Run one hostile program without a wall and behind both', load: () => import('./commands/demo.js') },
  completion: { summary: 'Print a script that completes words in bash, zsh or fish', load: () => import('./commands/completion.js') },
  version: { summary: 'Show versions', load: () => import('./commands/version.js') },
  internal: { summary: 'What launchers run', isHidden: true, load: () => import('./commands/internal.js') },
  __complete: { summary: 'Say what a shell may offer', isHidden: true, load: () => import('./commands/complete.js') },
}
