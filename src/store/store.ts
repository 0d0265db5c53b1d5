/**
 * Everything that lasts, in one folder of the user's own (`home.ts` says where):
 *
 * - `oci-layout`, `index.json`, `blobs/sha256/<hex>`: an OCI image layout (`oci-layout.ts`, `references.ts`)
 * - `layers/<diffId hex>/{tar,index}`: layers made ready for use (`layer-store.ts`)
 * - `trees/<id-map key>/<diffId hex>/`: layers unpacked for the kernel; made by `rootfs/`, removed by `prune.ts`
 * - `containers/<id>/`: belongs to `container/`
 * - `ingest/`, `locks/`: what is under way (`ingest.ts`, `lock.ts`)
 */
import { chmod, lstat, mkdir, readdir, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { EngineError } from '../errors.js'
import { defaultHome } from './home.js'
import { Ingest } from './ingest.js'
import { LayerStore } from './layer-store.js'
import { Lock } from './lock.js'
import { OciLayout } from './oci-layout.js'
import { References } from './references.js'

const OWN_NAMES = ['oci-layout', 'index.json', 'blobs', 'layers', 'trees', 'containers', 'ingest', 'locks']

/** Images, layers and names on disk. Holds no open files and needs no closing. */
export class Store {
  readonly references: References
  readonly layers: LayerStore
  /** Held while names change and while something is removed; never for long. */
  readonly lock: Lock

  private constructor(
    readonly root: string,
    readonly layout: OciLayout,
  ) {
    this.references = new References(root)
    this.lock = new Lock(join(root, 'locks/store'))
    this.layers = new LayerStore(this)
  }

  /** Opens the store in `root`, making it when it is missing. Throws INVALID_ARGUMENT when the folder is something else or not ours. */
  static async open(options: { readonly root?: string } = {}): Promise<Store> {
    const root = options.root ?? defaultHome()
    await claimFolder(root)
    return new Store(root, await OciLayout.open(root))
  }

  /** Begins to gather blobs for a new image. */
  ingest(options: { readonly signal?: AbortSignal } = {}): Promise<Ingest> {
    return Ingest.begin(this, options)
  }
}

/** As `mkdir -p`, but ends everywhere: Node's own never does below /proc. */
async function makeFolder(path: string): Promise<void> {
  try {
    await mkdir(path, { mode: 0o700 })
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'EEXIST') return
    if (code !== 'ENOENT' || (await lstat(dirname(path)).catch(() => null)) !== null) throw error
    await makeFolder(dirname(path))
    await mkdir(path, { mode: 0o700 })
  }
}

async function claimFolder(root: string): Promise<void> {
  await makeFolder(root).catch((cause: NodeJS.ErrnoException) => {
    throw new EngineError('INVALID_ARGUMENT', `cannot make the store in ${root}: ${cause.message}`, {
      cause,
      hint: 'Set WOLFFIA_HOME to a folder that you may write.',
    })
  })
  // Followed on purpose: a home may be a link to another disk. Whose it is is judged where it leads.
  const found = await stat(root)
  const hint = 'Set WOLFFIA_HOME to a folder of your own.'
  if (!found.isDirectory()) throw new EngineError('INVALID_ARGUMENT', `${root} is no directory`, { hint })
  if (found.uid !== process.geteuid?.())
    throw new EngineError('INVALID_ARGUMENT', `${root} belongs to another user (uid ${found.uid})`, { hint })
  if ((await lstat(join(root, 'oci-layout')).catch(() => null)) === null) {
    const foreign = (await readdir(root)).find((name) => !OWN_NAMES.includes(name) && !name.startsWith('oci-layout.'))
    if (foreign !== undefined)
      throw new EngineError('INVALID_ARGUMENT', `${root} is no store of wolffia's and not empty: it holds ${JSON.stringify(foreign)}`, {
        hint,
      })
  }
  if ((found.mode & 0o7777) !== 0o700) await chmod(root, 0o700)
}
