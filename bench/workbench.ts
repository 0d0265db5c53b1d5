import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { compileAttacks } from '../images/attacks/compile.js'
import { messageOf } from '../src/errors.js'
import { Engine } from '../src/index.js'
import { Holder } from '../src/launcher/holder.js'
import { chooseIdMap, type IdMap, type LivingHolder, singleIdMap } from '../src/launcher/id-map.js'
import { NativeRuntime } from '../src/native/native-runtime.js'
import {
  APPEND_MODULE,
  ATTACK_FOLDER,
  compileGuest,
  GUEST_FOLDER,
  GUESTS,
  type GuestName,
  LARGE_FILE,
  LARGE_FILE_MIB,
} from './compile-guest.js'
import { compileDriver, Driver } from './driver.js'
import { coveredCgroupCommand, rootlessEnvironment } from './hybrid-cgroup.js'
import { require, Unavailable } from './unavailable.js'

/** The package's own folder. */
export const packageRoot = findPackageRoot(dirname(fileURLToPath(import.meta.url)))

const MODULE_MAGIC = Buffer.from('\0asm')

/** Commands that busybox answers to in the root tree. */
const APPLETS = ['true', 'sh', 'sleep', 'cat', 'ls']

/** Writes a root tree into a folder that is not there yet. */
export type RootSource = (root: string) => Promise<void>

const writeBusybox: RootSource = async (root) => {
  const busybox = ['/bin/busybox', '/usr/bin/busybox'].find((path) => existsSync(path))
  require(busybox, 'busybox is not installed (Debian: busybox-static)')
  for (const name of ['bin', 'dev', 'etc', 'proc', 'sys', 'tmp']) await mkdir(join(root, name), { recursive: true })
  await cp(busybox, join(root, 'bin/busybox'))
  for (const applet of APPLETS) await symlink('busybox', join(root, 'bin', applet))
}

/** What modes and workloads share during one run: folders, parents, engine, trees. All made when first wanted and removed at the end. */
export class Workbench implements AsyncDisposable {
  readonly #made = new Map<string, Promise<unknown>>()
  readonly #closers: (() => Promise<void>)[] = []
  readonly #root: RootSource

  private constructor(
    /** Removed at the end. */
    readonly directory: string,
    /** Few rounds and small sizes: shows that everything runs, and roughly how fast. */
    readonly quick: boolean,
    root: RootSource,
  ) {
    this.#root = root
  }

  /** `root` is what programs see as their root tree; a busybox unless said. */
  static async open(options: { readonly quick: boolean; readonly root?: RootSource }): Promise<Workbench> {
    return new Workbench(await mkdtemp(join(tmpdir(), 'wolffia-bench-')), options.quick, options.root ?? writeBusybox)
  }

  /** Calls `make` once for a name and gives what it made to all who ask. */
  once<T>(name: string, make: () => Promise<T>): Promise<T> {
    const made = this.#made.get(name) ?? make()
    this.#made.set(name, made)
    return made as Promise<T>
  }

  /** Has something done at the end, last first. */
  atEnd(action: () => Promise<void>): void {
    this.#closers.push(action)
  }

  /** The parent of programs. */
  driver(): Promise<Driver> {
    return this.once('driver', async () => this.#own(new Driver([await this.#driverPath()])))
  }

  /** The parent of peers that refuse hybrid cgroups; on other hosts the same as {@link driver}. */
  peerDriver(): Promise<Driver> {
    return this.once('peer driver', async () => {
      const command = coveredCgroupCommand()
      if (command === null) return this.driver()
      const runtimeDirectory = join(this.directory, 'run')
      await mkdir(runtimeDirectory, { recursive: true, mode: 0o700 })
      const environment = { ...process.env, ...rootlessEnvironment(), XDG_RUNTIME_DIR: runtimeDirectory }
      return this.#own(new Driver([...command, await this.#driverPath()], environment))
    })
  }

  /** What peers' ids are, seen from their parent: root where {@link coveredCgroupCommand} made a namespace for them. */
  peerIds(): { readonly uid: number; readonly gid: number } {
    if (coveredCgroupCommand() !== null) return { uid: 0, gid: 0 }
    return { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 }
  }

  /** An engine over a store of its own. */
  engine(): Promise<Engine> {
    return this.once('engine', async () => {
      const engine = await Engine.open({ home: join(this.directory, 'home') })
      this.atEnd(() => engine[Symbol.asyncDispose]())
      return engine
    })
  }

  /** One over another store, with the same image of busybox. */
  otherEngine(): Promise<Engine> {
    return this.once('other engine', async () => {
      const engine = await Engine.open({ home: join(this.directory, 'other-home') })
      await engine.images.import(await this.rootTar(), { reference: 'busybox' })
      this.atEnd(() => engine[Symbol.asyncDispose]())
      return engine
    })
  }

  /** An engine over the same store whose native wall maps a single id: what every host can do, and what peers are given. */
  singleIdEngine(): Promise<Engine> {
    return this.once('single-id engine', async () => {
      const { home } = await this.engine()
      const engine = await Engine.open({
        home,
        runtimes: [new NativeRuntime({ treesDirectory: join(home, 'trees'), idMap: singleIdMap() })],
      })
      this.atEnd(() => engine[Symbol.asyncDispose]())
      return engine
    })
  }

  /** A holder of this run's own, and the range of ids that it gives. */
  holder(): Promise<{ readonly idMap: IdMap; readonly living: LivingHolder }> {
    return this.once('holder', async () => {
      const holder = new Holder(join(this.directory, 'holder'), () => ({ seconds: 600, memoryBytes: 2 ** 30 }))
      const { map, reason } = chooseIdMap(holder)
      require(reason === null, reason ?? '')
      const living = await holder.ensure(map)
      this.atEnd(() => holder.end())
      require(living !== null, 'no holder can be started')
      return { idMap: map, living }
    })
  }

  /** An engine over the same store whose native wall has a holder, as that of the command line has. */
  heldEngine(): Promise<Engine> {
    return this.once('held engine', async () => {
      const [{ home }, { idMap }] = await Promise.all([this.engine(), this.holder()])
      const holder = new Holder(join(this.directory, 'holder'))
      const engine = await Engine.open({
        home,
        runtimes: [new NativeRuntime({ treesDirectory: join(this.directory, 'held-trees'), idMap, holder })],
      })
      this.atEnd(() => engine[Symbol.asyncDispose]())
      return engine
    })
  }

  /** The root tree: of 2 MB, a static busybox, unless the run has another one. */
  rootDirectory(): Promise<string> {
    return this.once('root directory', async () => {
      const root = join(this.directory, 'root')
      await this.#root(root)
      return root
    })
  }

  /** {@link rootDirectory} with the guests of `guests/` in it, for modes that run them there. Asked for before anything is made of the tree. */
  rootWithGuests(): Promise<string> {
    return this.once('root directory with guests', async () => {
      const root = await this.rootDirectory()
      await mkdir(join(root, GUEST_FOLDER), { recursive: true })
      await Promise.all(GUESTS.map(async (name) => cp((await compileGuest(this, name)).nativePath, join(root, GUEST_FOLDER, name))))
      await cp((await compileGuest(this, 'append')).modulePath, join(root, APPEND_MODULE))
      await writeFile(join(root, LARGE_FILE), Buffer.alloc(LARGE_FILE_MIB << 20, 1))
      await mkdir(join(root, ATTACK_FOLDER), { recursive: true })
      await compileAttacks(packageRoot, join(root, ATTACK_FOLDER))
      return root
    })
  }

  /** What a word that names a program is as a module: a guest of `guests/`, or one of `wasm/`. */
  async moduleOf(word: string): Promise<string> {
    const name = word.replace(`${GUEST_FOLDER}/`, '')
    if (GUESTS.includes(name as GuestName)) return (await compileGuest(this, name as GuestName)).modulePath
    const path = join(await this.rootDirectory(), word)
    if (existsSync(path) && (await isModule(path))) return path
    require(!word.includes('/'), `${word} is no WebAssembly module`)
    return this.modulePath(name)
  }

  /** {@link rootDirectory} as a tar. */
  rootTar(): Promise<string> {
    return this.once('root tar', async () => {
      const path = join(this.directory, 'root.tar')
      await promisify(execFile)('tar', ['-C', await this.rootDirectory(), '--owner=0', '--group=0', '-cf', path, '.'])
      return path
    })
  }

  /** {@link rootDirectory} as an image of the engine's. */
  busyboxImage(): Promise<string> {
    return this.once('busybox image', async () => {
      await (await this.engine()).images.import(await this.rootTar(), { reference: 'busybox' })
      return 'busybox'
    })
  }

  /** A module of `wasm/` as an image of the engine's. */
  moduleImage(name: string): Promise<string> {
    return this.once(`image ${name}`, async () => {
      await (await this.engine()).images.import(this.modulePath(name), { reference: name })
      return name
    })
  }

  /** A module of `wasm/`, as the build leaves it. */
  modulePath(name: string): string {
    return join(packageRoot, 'dist/wasm', `${name}.wasm`)
  }

  /** Writes a file into the run's folder and gives its path. */
  async file(name: string, content: string | Uint8Array): Promise<string> {
    const path = join(this.directory, name)
    await mkdir(dirname(path), { recursive: true })
    await writeFile(path, content)
    return path
  }

  /** A folder in the run's, made when it is missing. */
  async directoryOf(name: string): Promise<string> {
    const path = join(this.directory, name)
    await mkdir(path, { recursive: true })
    return path
  }

  #driverPath(): Promise<string> {
    return this.once('driver program', async () => {
      const path = join(this.directory, 'driver')
      await compileDriver(join(packageRoot, 'bench/driver/driver.c'), path).catch((error) => {
        throw new Unavailable(`the driver cannot be compiled: ${messageOf(error)}`)
      })
      return path
    })
  }

  #own(driver: Driver): Driver {
    this.atEnd(() => driver[Symbol.asyncDispose]())
    return driver
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const close of this.#closers.reverse()) await close()
    await rm(this.directory, { recursive: true, force: true })
  }
}

async function isModule(path: string): Promise<boolean> {
  return (await readFile(path)).subarray(0, MODULE_MAGIC.length).equals(MODULE_MAGIC)
}

function findPackageRoot(folder: string): string {
  if (existsSync(join(folder, 'package.json'))) return folder
  if (dirname(folder) === folder) throw new Error('the package has no package.json')
  return findPackageRoot(dirname(folder))
}
