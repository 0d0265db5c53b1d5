import { assetPath } from '../launcher/installation.js'
import type { Supervision } from '../runtime/runtime.js'
import type { ContainerRecord } from './record.js'

/** The command of wolffia's own that decides what becomes of a container while nobody waits for it; `cli/commands/internal`. */
export const INTERNAL = 'internal'

/** Variables that say where wolffia's things are, handed on to that command. */
const HANDED_ON = ['PATH', 'HOME', 'XDG_DATA_HOME', 'WOLFFIA_LAUNCHER'] as const

/** Where a container's output is kept. */
export function logPath(directory: string, id: string): string {
  return `${directory}/${id}-json.log`
}

/** How the launcher holds a container's run. */
export function supervisionOf(
  record: ContainerRecord,
  {
    home,
    directory,
    journal,
    outlives,
  }: { readonly home: string; readonly directory: string; readonly journal: string; readonly outlives: boolean },
): Supervision {
  const { id, settings, autoRemove } = record
  const { log, health, restart } = settings
  const command = (word: string) => [process.execPath, assetPath('cli.cjs'), INTERNAL, word, id]
  return {
    outlives,
    log: log.driver === 'none' ? null : { path: logPath(directory, id), maximumBytes: log.maximumBytes, files: log.files },
    journal: { path: journal, word: JSON.stringify(actorOf(record)) },
    endCommand: autoRemove || restart.name !== 'no' ? command('ended') : [],
    beat: health === null ? null : { command: command('health'), intervalMs: health.intervalMs },
    environment: [
      ...HANDED_ON.flatMap((name) => (process.env[name] === undefined ? [] : [`${name}=${process.env[name]}`])),
      `WOLFFIA_HOME=${home}`,
    ],
  }
}

/** What the journal says of whom an event is about. */
export function actorOf({ id, name, image, labels }: ContainerRecord): JournalActor {
  return { type: 'container', id, attributes: { ...labels, image: image.reference, name } }
}

/** Whom an event is about, in the words of the Docker Engine API. */
export interface JournalActor {
  readonly type: 'container' | 'image' | 'volume' | 'network'
  readonly id: string
  readonly attributes: Readonly<Record<string, string>>
}
