import { execFile, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, rename, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { promisify } from 'node:util'
import { EngineError } from '../src/errors.js'
import { Engine } from '../src/index.js'
import type { RootSource } from './workbench.js'

const PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'

/** A user's image, unpacked, and the words of what is to run in it. */
export interface OwnImage {
  /** Moves the tree to where it is wanted: it can be had once. */
  readonly root: RootSource
  /** The first is a path in the tree. */
  readonly words: readonly string[]
}

/** An image of the user's store. Without a command its own is run. Rejects with IMAGE_NOT_FOUND, or INVALID_ARGUMENT without any command. */
export async function ownImage(reference: string, command: readonly string[]): Promise<OwnImage> {
  await using engine = await Engine.open()
  const { entrypoint, cmd, env } = (await engine.images.inspect(reference)).process
  const words = [...entrypoint, ...(command.length > 0 ? command : cmd)]
  if (words.length === 0) throw new EngineError('INVALID_ARGUMENT', `${reference} has no command of its own: give one`)
  const folder = await mkdtemp(join(tmpdir(), 'wolffia-bench-image-'))
  try {
    await extract(engine, reference, words, folder)
    const searched = env.find((entry) => entry.startsWith('PATH='))?.slice('PATH='.length) ?? PATH
    return { root: (root) => rename(folder, root), words: [pathOf(folder, words[0] ?? '', searched), ...words.slice(1)] }
  } catch (error) {
    await rm(folder, { recursive: true, force: true })
    throw error
  }
}

/** Unpacks an image's tree as this user, who can make no devices. */
async function extract(engine: Engine, reference: string, words: readonly string[], root: string): Promise<void> {
  const container = await engine.containers.define({ image: reference, entrypoint: [], command: words })
  const flags = ['--no-same-owner', '--no-same-permissions', '--delay-directory-restore', '--exclude=./dev/*', '--exclude=dev/*']
  const tar = spawn('tar', ['-x', ...flags, '-C', root], { stdio: ['pipe', 'ignore', 'inherit'] })
  const ended = new Promise<number | null>((resolve, reject) => tar.on('error', reject).on('close', resolve))
  try {
    await pipeline(await container.exportRoot(), tar.stdin)
  } finally {
    await container.remove()
  }
  if ((await ended) !== 0) throw new EngineError('INVALID_ARGUMENT', `the tree of ${reference} cannot be unpacked by this user`)
  // A folder that nobody may write to could not be taken away again.
  await promisify(execFile)('chmod', ['-R', 'u+rwX', root])
  for (const name of ['dev', 'proc', 'sys', 'tmp', 'etc']) await mkdir(join(root, name), { recursive: true })
}

function pathOf(root: string, program: string, searched: string): string {
  if (program.startsWith('/')) return program
  const found = searched.split(':').find((folder) => existsSync(join(root, folder, program)))
  if (found === undefined) throw new EngineError('COMMAND_NOT_FOUND', `${program} is not on the image's PATH`)
  return join(found, program)
}
