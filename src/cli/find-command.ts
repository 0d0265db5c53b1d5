import { COMMANDS, type CommandEntry, type CommandGroup } from './command.js'

/** What the first words of a command line stand for. */
export type FoundCommand =
  | { readonly kind: 'command'; readonly name: string; readonly entry: CommandEntry; readonly rest: readonly string[] }
  /** A group alone, or with a flag: its page is asked for, or the flag is a mistake. */
  | { readonly kind: 'group'; readonly name: string; readonly group: CommandGroup; readonly rest: readonly string[] }
  /** `near` are the words that stand where the unknown one does. */
  | { readonly kind: 'unknown'; readonly name: string; readonly group: string | null; readonly near: readonly string[] }

/** Takes from a command line the words that name its command: one, or two for a command of a group. A group in a group is one more. */
export function findCommand(
  words: readonly string[],
  commands: Readonly<Record<string, CommandEntry | CommandGroup>> = COMMANDS,
): FoundCommand {
  const [name = '', ...rest] = words
  const found = Object.hasOwn(commands, name) ? commands[name] : undefined
  if (found === undefined) return { kind: 'unknown', name, group: null, near: Object.keys(commands) }
  if (!isGroup(found)) return { kind: 'command', name, entry: found, rest }
  const [typed] = rest
  if (typed === undefined || typed.startsWith('-')) return { kind: 'group', name, group: found, rest }
  const { aliases = {} } = found
  const word = Object.hasOwn(aliases, typed) ? aliases[typed] : typed
  const inside = findCommand([word ?? typed, ...rest.slice(1)], found.commands)
  if (inside.kind !== 'unknown') return { ...inside, name: `${name} ${inside.name}` }
  return { ...inside, name: `${name} ${inside.name}`, group: inside.group === null ? name : `${name} ${inside.group}` }
}

/** Whether a word stands for several commands. */
export function isGroup(found: CommandEntry | CommandGroup): found is CommandGroup {
  return 'commands' in found
}
