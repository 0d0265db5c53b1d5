import { COMMANDS, type CommandEntry, type CommandGroup } from './command.js'
import { NOT_BUILT_COMMANDS } from './not-built.js'
import { Style } from './output.js'

const EXAMPLES: readonly (readonly [line: string, what: string])[] = [
  ['wolffia pull debian', 'an image comes from its registry'],
  ['wolffia import root.tar debian', 'a root folder, tarred, becomes one'],
  ['wolffia load -i image.tar', 'so does what docker save or skopeo wrote'],
  ['wolffia run --rm -it debian bash', 'a shell behind namespaces and seccomp'],
  ['wolffia run --rm -v .:/work -w /work debian make', 'a program over a folder of yours'],
  ['wolffia import tool.wasm tool', 'a WASI program becomes an image'],
  ['wolffia run --rm tool', 'and runs behind the Wasm wall'],
  ['wolffia run -d --name web debian ./serve', 'a container that goes on by itself'],
  ['wolffia exec -it web bash', 'one more shell in it'],
  ['wolffia logs -f web', 'what it says'],
  ['wolffia run --rm --receipt debian true', 'what isolation is really in force'],
]

/** Which commands stand together, under what. What is in none of these comes last. */
export const SECTIONS: readonly (readonly [title: string, names: readonly string[]])[] = [
  [
    'A container',
    ['run', 'replay', 'create', 'start', 'exec', 'attach', 'stop', 'kill', 'restart', 'pause', 'unpause', 'wait', 'rename', 'update', 'rm'],
  ],
  ['What it does', ['ps', 'logs', 'top', 'stats', 'inspect', 'port', 'events']],
  ['Its files', ['cp', 'diff', 'export', 'commit']],
  ['Images', ['build', 'pull', 'images', 'history', 'import', 'load', 'save', 'tag', 'snapshot', 'rmi', 'login', 'logout']],
  ['All of a kind', ['container', 'image', 'volume', 'system']],
]

/** The page of `wolffia help`. */
export function helpPage(): string {
  const style = new Style(process.stdout)
  return [
    `wolffia runs OCI images without root and without a daemon, behind a wall you choose:\n`,
    `Linux namespaces (native) or a Wasm sandbox (wasm).\n\n`,
    `${style.bold('Usage:')} wolffia [--debug] COMMAND [OPTIONS] …\n\n`,
    ...sections(style),
    `\n${style.bold('Try:')}\n`,
    rows(EXAMPLES),
    `\n${style.bold('Known from docker, not built yet:')}\n`,
    wrapped(Object.keys(NOT_BUILT_COMMANDS).filter((name) => !name.includes(' '))),
    `  Each says what to do instead.\n`,
    `\n'wolffia COMMAND --help' shows the options of a command. Images and containers are kept in\n`,
    `$WOLFFIA_HOME, else $XDG_DATA_HOME/wolffia, else ~/.local/share/wolffia. What an archive may unpack\n`,
    `to is bounded by WOLFFIA_ARCHIVE_BYTES, WOLFFIA_ARCHIVE_RATIO, WOLFFIA_ARCHIVE_FREE_BYTES,\n`,
    `WOLFFIA_LAYER_ENTRIES and WOLFFIA_FILE_BYTES, what stays of a native container by\n`,
    `WOLFFIA_HOLDER_SECONDS and WOLFFIA_HOLDER_BYTES (README.md).\n`,
  ].join('')
}

function sections(style: Style): readonly string[] {
  const all = new Map(summariesOf(COMMANDS))
  const width = Math.max(...[...all.keys()].map((name) => name.length))
  const listed = SECTIONS.map(([title, names]) => [title, names.filter((name) => all.has(name))] as const)
  const rest = [...all.keys()].filter((name) => !listed.some(([, names]) => names.includes(name)))
  return [...listed, ['This host and wolffia itself', rest] as const].map(([title, names], at) => {
    const pairs = names.map((name): readonly [string, string] => [name, all.get(name) ?? ''])
    return `${at === 0 ? '' : '\n'}${style.bold(`${title}:`)}\n${rows(pairs, width)}`
  })
}

/** The page of a group of commands: `wolffia volume`. */
export function groupPage(name: string, { summary, commands }: CommandGroup): string {
  const style = new Style(process.stdout)
  const notBuilt = Object.keys(NOT_BUILT_COMMANDS).flatMap((words) => (words.startsWith(`${name} `) ? words.slice(name.length + 1) : []))
  return [
    `${style.bold('Usage:')} wolffia ${name} COMMAND [OPTIONS] …\n\n${summary}\n\n`,
    `${style.bold('Commands:')}\n${rows(summariesOf(commands))}`,
    ...(notBuilt.length === 0 ? [] : [`\n${style.bold('Known from docker, not built yet:')}\n${wrapped(notBuilt)}`]),
    `\n'wolffia ${name} COMMAND --help' shows the options of a command.\n`,
  ].join('')
}

function summariesOf(commands: Readonly<Record<string, CommandEntry | CommandGroup>>): readonly (readonly [string, string])[] {
  return Object.entries(commands).flatMap(([name, entry]) =>
    'isHidden' in entry && entry.isHidden === true ? [] : [[name, entry.summary]],
  )
}

function rows(pairs: readonly (readonly [string, string])[], width = Math.max(...pairs.map(([left]) => left.length))): string {
  return pairs.map(([left, right]) => `  ${left.padEnd(width)}   ${right}\n`).join('')
}

/** Words in lines of at most 90 characters, indented by two. */
export function wrapped(words: readonly string[]): string {
  const lines: string[] = []
  for (const word of words) {
    const last = lines.at(-1)
    if (last !== undefined && last.length + word.length < 90) lines[lines.length - 1] = `${last} ${word}`
    else lines.push(`  ${word}`)
  }
  return lines.map((line) => `${line}\n`).join('')
}
