/** Images of Dockerfiles in tests: an engine with a base image in it, and what became of a build as plain data. */
import { join } from 'node:path'
import { listTree } from '../../src/fs/list.js'
import { toUtf8 } from '../../src/fs/names.js'
import { UnionFs } from '../../src/fs/union-fs.js'
import { findImage } from '../../src/image/find.js'
import { hostPlatform, selectImage } from '../../src/image/platform-select.js'
import { Engine } from '../../src/index.js'
import { type PackEntry, packTar } from '../../src/layer/pack.js'
import { bytesSource } from '../../src/layer/source.js'
import type { ContainerConfig } from '../../src/oci/image-spec.js'
import { formatPlatform } from '../../src/oci/platform.js'
import { openStoredLayer } from '../../src/rootfs/layer-stack.js'
import { Store } from '../../src/store/store.js'
import { stream, withFolder, writeFiles } from './image-fixtures.js'
import { busyboxEntries } from './stored-layers.js'

/** A build's image as data that can be compared. */
export interface BuiltImage {
  readonly platform: string
  readonly config: ContainerConfig
  /** `created_by` of each step, those without a layer in brackets. */
  readonly history: readonly string[]
  /** Each path: type, mode, owner, and size, or where it leads. */
  readonly tree: Readonly<Record<string, string>>
}

function entry(path: string, type: PackEntry['type'], others: Partial<PackEntry> = {}): PackEntry {
  return { path, type, mode: type === 'directory' ? 0o755 : type === 'symlink' ? 0o777 : 0o644, uid: 0, gid: 0, mtimeNs: 0n, ...others }
}

function file(path: string, text: string, others: Partial<PackEntry> = {}): PackEntry {
  return entry(path, 'file', { contents: bytesSource(Buffer.from(text)), ...others })
}

/** The image `base`: users, symlinks of every kind, a sticky directory. */
const BASE: readonly PackEntry[] = [
  entry('', 'directory'),
  entry('etc', 'directory'),
  file('etc/passwd', 'root:x:0:0:root:/root:/bin/sh\nweb:x:33:34::/srv:/bin/sh\n'),
  file('etc/group', 'root:x:0:\nweb:x:34:\nstaff:x:50:web\n'),
  entry('lib', 'symlink', { target: 'usr/lib' }),
  entry('out', 'symlink', { target: '/../../../../usr/out' }),
  entry('tmp', 'directory', { mode: 0o1777 }),
  entry('usr', 'directory'),
  entry('usr/lib', 'directory'),
  file('usr/lib/old', 'old'),
]

/** Runs `body` with an engine that has the images `base` and, where this machine's busybox is static, `busybox`. */
export function withBuilder(
  body: (engine: Engine, folder: string) => Promise<void>,
  { busybox = false }: { readonly busybox?: boolean } = {},
): Promise<void> {
  return withFolder(async (folder) => {
    await using engine = await Engine.open({ home: join(folder, 'home') })
    const tarOf = (entries: readonly PackEntry[]) => stream(Buffer.concat([...packTar(entries)]))
    await engine.images.import(tarOf(BASE), {
      reference: 'base',
      process: { env: ['PATH=/bin', 'FROM_BASE=1'], cmd: ['/of/base'], entrypoint: ['/entry'] },
    })
    if (busybox)
      await engine.images.import(tarOf([...busyboxEntries(), ...BASE.slice(1).filter(({ path }) => path !== 'tmp')]), {
        reference: 'busybox',
        process: { env: ['PATH=/bin'] },
      })
    await body(engine, folder)
  })
}

/** Writes a folder to build from. */
export async function contextOf(folder: string, files: Parameters<typeof writeFiles>[1]): Promise<string> {
  const context = join(folder, 'context')
  await writeFiles(context, files)
  return context
}

/** Text in which this machine's platform has the same name everywhere. */
export function withoutHost(text: string): string {
  return text.replaceAll(formatPlatform(hostPlatform()), 'linux/host')
}

/** What an image of the engine's store is. */
export async function describeBuilt(engine: Engine, reference: string): Promise<BuiltImage> {
  const store = await Store.open({ root: engine.home })
  const { descriptor } = await findImage(store, reference)
  const { image } = await selectImage(store.layout, descriptor)
  const config = await image.config()
  const layers = await Promise.all((await image.layers()).map((layer) => store.layers.ensure(layer)))
  const opened = layers.map(openStoredLayer)
  try {
    const union = new UnionFs({ lowers: opened })
    const tree: Record<string, string> = {}
    for (const { path, type, mode, uid, gid, size, target, linkOf } of listTree(union)) {
      const attributes = `${type} ${mode.toString(8).padStart(4, '0')} ${uid}:${gid}`
      const more =
        linkOf !== null
          ? ` = ${toUtf8(linkOf)}`
          : target !== null
            ? ` -> ${toUtf8(target)}`
            : size === null || path === 'bin/busybox'
              ? ''
              : ` ${size}`
      if (path !== '') tree[toUtf8(path)] = attributes + more
    }
    return {
      platform: withoutHost(formatPlatform(config)),
      config: config.config ?? {},
      history: (config.history ?? []).map(({ created_by = '', empty_layer }) => (empty_layer ? `[${created_by}]` : created_by)),
      tree,
    }
  } finally {
    for (const layer of opened) layer.close()
  }
}
