/**
 * Everything that lasts, in one folder of the user's own (`home.ts` says where):
 *
 * - `oci-layout`, `index.json`, `blobs/sha256/<hex>`: an OCI image layout (`oci-layout.ts`, `references.ts`)
 * - `layers/<diffId hex>/{tar,index}`: layers made ready for use (`layer-store.ts`), and `component-<hex>` beside the topmost of an image: what a
 *   component of it was transpiled to (`transpiled-components.ts`)
 * - `trees/<id-map key>/<diffId hex>/`: layers unpacked for the kernel; made by `rootfs/`, removed by `prune.ts`
 * - `packed/<diffId hex>`: what layers became when they were packed (`packed-notes.ts`)
 * - `containers/<id>/`: belongs to `container/`
 * - `volumes/<name>/`: belongs to `volume/`
 * - `ingest/`, `locks/`: what is under way (`ingest.ts`, `lock.ts`)
 * - `events.log`, `events.log.1`: belong to `container/journal`
 */
import { chmodSync, lstatSync, mkdirSync, readdirSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { EngineError, messageOf } from '../errors.js'
import { defaultHome } from './home.js'
import { Ingest } from './ingest.js'
import { LayerStore } from './layer-store.js'
import { Lock } from './lock.js'
import { OciLayout } from './oci-layout.js'
import { PackedNotes } from './packed-notes.js'
import { References } from './references.js'

/** What may lie in a home; anything else is not wolffia's. */
export const OWN_NAMES: readonly string[] = [
  ...['oci-layout', 'index.json', 'index.json.damaged', 'blobs', 'layers', 'trees', 'packed'],
  ...['containers', 'volumes', 'ingest', 'locks', 'events.log', 'events.log.1', 'demo', 'holder'],
]

/** Images, layers and names on disk. Holds no open files and needs no closing. */
export class Store {
  readonly references: References
  readonly layers: LayerStore
  readonly packed: PackedNotes
  /** Held while names change and while something is removed; never for long. */
  readonly lock: Lock

  private constructor(
    readonly root: string,
    readonly layout: OciLayout,
  ) {
    this.references = new References(root)
    this.packed = new PackedNotes(root)
    this.lock = new Lock(join(root, 'locks/store'))
    this.layers = new LayerStore(this)
  }

  /** Opens the store in `root`, making it when it is missing. Throws INVALID_ARGUMENT when the folder is something else or not ours. */
  static async open(options: { readonly root?: string } = {}): Promise<Store> {
    const root = options.root ?? defaultHome()
    claimFolder(root)
    return new Store(root, await OciLayout.open(root))
  }

  /** Begins to gather blobs for a new image. */
  ingest(options: { readonly signal?: AbortSignal } = {}): Promise<Ingest> {
    return Ingest.begin(this, options)
  }
}

/** As `mkdir -p`, but ends everywhere: Node's own never does below /proc. */
function makeFolder(path: string): void {
  try {
    mkdirSync(path, { mode: 0o700 })
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'EEXIST') return
    if (code !== 'ENOENT' || exists(dirname(path))) throw error
    makeFolder(dirname(path))
    mkdirSync(path, { mode: 0o700 })
  }
}

function exists(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false }) !== undefined
}

// At once, as every command begins with this: through the thread pool it would take ten times as long.
function claimFolder(root: string): void {
  try {
    makeFolder(root)
  } catch (cause) {
    throw new EngineError('INVALID_ARGUMENT', `cannot make the store in ${root}: ${messageOf(cause)}`, {
      cause,
      hint: 'Set WOLFFIA_HOME to a folder that you may write.',
    })
  }
  // Followed on purpose: a home may be a link to another disk. Whose it is is judged where it leads.
  const found = statSync(root)
  const hint = 'Set WOLFFIA_HOME to a folder of your own.'
  if (!found.isDirectory()) throw new EngineError('INVALID_ARGUMENT', `${root} is no directory`, { hint })
  if (found.uid !== process.geteuid?.())
    throw new EngineError('INVALID_ARGUMENT', `${root} belongs to another user (uid ${found.uid})`, { hint })
  if (!exists(join(root, 'oci-layout'))) {
    const foreign = readdirSync(root).find((name) => !OWN_NAMES.includes(name) && !name.startsWith('oci-layout.'))
    if (foreign !== undefined)
      throw new EngineError('INVALID_ARGUMENT', `${root} is no store of wolffia's and not empty: it holds ${JSON.stringify(foreign)}`, {
        hint,
      })
  }
  if ((found.mode & 0o7777) !== 0o700) chmodSync(root, 0o700)
}
