/** What `container.fs({ writable: true })` keeps, behind every wall, of a container that runs and of one that does not. */
import type { Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import * as assert from 'uvu/assert'
import type { Container } from '../../src/container/container.js'
import type { CreateOptions } from '../../src/container/options.js'
import { Engine } from '../../src/engine/engine.js'
import { EngineError } from '../../src/errors.js'
import { CommandLine } from '../support/command-line.js'
import { assertRejects } from '../support/image-fixtures.js'
import type { RegisterTest } from '../support/suite.js'

/** A wall, and what a guest of its does. */
export interface ContainerFsWall {
  readonly image: string
  /** Puts the image into the store. */
  prepare(wolffia: CommandLine): Promise<unknown>
  /** A program that does nothing until its input ends. */
  readonly wait: readonly string[]
  /** Programs that `exec` runs in it. */
  readonly write: (path: string, text: string) => readonly string[]
  readonly symlink: (target: string, path: string) => readonly string[]
  readonly rename: (from: string, to: string) => readonly string[]
  /** A program that prints what a file holds. */
  readonly cat: (path: string) => readonly string[]
}

async function closed(fs: AsyncDisposable): Promise<void> {
  await fs[Symbol.asyncDispose]()
}

/** Runs the contract. The last test says that nothing is left. */
export function containerFsContract(test: RegisterTest, wall: ContainerFsWall): void {
  const wolffia = new CommandLine()

  const withContainer = async (options: Partial<CreateOptions>, body: (container: Container) => Promise<void>): Promise<void> => {
    await wall.prepare(wolffia)
    await using engine = await Engine.open({ home: wolffia.home })
    const container = await engine.containers.define({ image: wall.image, command: wall.wait, openStdin: true, ...options })
    try {
      await body(container)
    } finally {
      await container.remove({ force: true }).catch((error: unknown) => {
        if (!(error instanceof EngineError) || error.code !== 'CONTAINER_NOT_FOUND') throw error
      })
    }
  }

  /** Lets its program come to its own end: of one that is killed the Wasm wall keeps nothing. */
  const end = async (container: Container) => {
    const { stdin, stdout, stderr, close } = await container.attach()
    stdout.resume()
    stderr?.resume()
    stdin?.end()
    assert.is((await container.wait()).exitCode, 0)
    close()
  }

  const exec = async (container: Container, args: readonly string[]): Promise<string> => {
    const program = await container.exec({ command: args })
    await program.prepare()
    program.stderr?.resume()
    const said = text(program.stdout as Readable)
    await program.start()
    assert.is((await program.wait()).exitCode, 0, args.join(' '))
    return said
  }

  const states = [
    ['does not run', async (_container: Container) => {}],
    ['runs', (container: Container) => container.start()],
  ] as const

  for (const [state, reach] of states) {
    const withMade = (body: (container: Container) => Promise<void>) =>
      withContainer({}, async (container) => {
        await reach(container)
        {
          await using fs = await container.fs({ writable: true })
          fs.mkdirSync('/srv/old', { recursive: true })
          fs.writeFileSync('/srv/old/a', 'a')
          fs.linkSync('/srv/old/a', '/srv/b')
          fs.writeFileSync('/srv/kept', 'kept')
          fs.symlinkSync('old', '/srv/link')
        }
        await body(container)
      })

    test(`what is written to the files of a container that ${state} is seen by its programs`, () =>
      withMade(async (container) => {
        {
          await using fs = await container.fs({ writable: true })
          fs.writeFileSync('/srv/old/a', 'changed')
          fs.appendFileSync('/srv/kept', ' on')
        }
        if (container.status !== 'running') await container.start()
        assert.is(await exec(container, wall.cat('/srv/b')), 'changed')
        assert.is(await exec(container, wall.cat('/srv/link/a')), 'changed')
        assert.is(await exec(container, wall.cat('/srv/kept')), 'kept on')
        await end(container)
        // And is there at the next start.
        await container.start()
        assert.is(await exec(container, wall.cat('/srv/old/a')), 'changed')
        await end(container)
      }))

    test(`removals, renames, other kinds and attributes are kept of a container that ${state}`, () =>
      withMade(async (container) => {
        const time = new Date('2001-02-03T04:05:06Z')
        {
          await using fs = await container.fs({ writable: true })
          fs.renameSync('/srv/old', '/srv/new')
          fs.unlinkSync('/srv/link')
          fs.mkdirSync('/srv/link')
          fs.writeFileSync('/srv/link/in', 'in')
          fs.chmodSync('/srv/kept', 0o4710)
          fs.utimesSync('/srv/kept', time, time)
          fs.chmodSync('/srv', 0o711)
          fs.chmodSync('/', 0o751)
          fs.truncateSync('/srv/b', 0)
          fs.writeFileSync('/srv/sparse', '')
          fs.truncateSync('/srv/sparse', 3 << 20)
        }
        await using fs = await container.fs()
        assert.equal(fs.readdirSync('/srv').sort(), ['b', 'kept', 'link', 'new', 'sparse'])
        assert.equal(fs.readdirSync('/srv/new'), ['a'])
        assert.is(fs.readFileSync('/srv/link/in', 'utf8'), 'in')
        assert.equal([fs.statSync('/srv/kept').mode & 0o7777, fs.statSync('/srv/kept').mtimeMs], [0o4710, time.getTime()])
        assert.equal([fs.statSync('/srv').mode & 0o7777, fs.statSync('/').mode & 0o7777], [0o711, 0o751])
        assert.equal([fs.statSync('/srv/b').size, fs.statSync('/srv/new/a').size], [0, 0])
        assert.is(fs.statSync('/srv/b').ino, fs.statSync('/srv/new/a').ino)
        assert.is(fs.statSync('/srv/sparse').size, 3 << 20)
      }))

    test(`a directory that takes the place of another shows nothing of it, in a container that ${state}`, () =>
      withMade(async (container) => {
        {
          await using fs = await container.fs({ writable: true })
          fs.rmSync('/srv/old', { recursive: true })
          fs.mkdirSync('/srv/old')
          fs.writeFileSync('/srv/old/only', '')
          fs.rmSync('/srv/kept')
          fs.mkdirSync('/srv/kept/deep/down', { recursive: true })
        }
        {
          await using fs = await container.fs({ writable: true })
          assert.equal(fs.readdirSync('/srv/old'), ['only'])
          assert.ok(fs.statSync('/srv/kept/deep/down').isDirectory())
          fs.rmSync('/srv/kept', { recursive: true })
          fs.writeFileSync('/srv/kept', 'again')
        }
        await using fs = await container.fs()
        assert.is(fs.readFileSync('/srv/kept', 'utf8'), 'again')
      }))

    test(`a name that no layer can hold is refused, and nothing of the rest is kept, of a container that ${state}`, () =>
      withMade(async (container) => {
        const fs = await container.fs({ writable: true })
        fs.writeFileSync('/.wh.x', '')
        fs.writeFileSync('/srv/other', '')
        await assertRejects(closed(fs), 'UNSAFE_PATH')
        await using after = await container.fs()
        assert.not.ok(after.existsSync('/srv/other'))
      }))
  }

  test('what the guest does meanwhile stays, but for the names that are written', () =>
    withContainer({}, async (container) => {
      await container.start()
      await exec(container, wall.write('/first', 'first'))
      const fs = await container.fs({ writable: true })
      await exec(container, wall.write('/second', 'second'))
      await exec(container, wall.write('/first', 'by the guest'))
      fs.writeFileSync('/third', 'third')
      // What the guest has put into the file stays, since that was not touched.
      fs.chmodSync('/first', 0o600)
      fs.mkdirSync('/fourth')
      fs.writeFileSync('/fourth/in', '')
      await fs[Symbol.asyncDispose]()
      await using after = await container.fs()
      assert.is(after.readFileSync('/first', 'utf8'), 'by the guest')
      assert.is(after.statSync('/first').mode & 0o777, 0o600)
      assert.is(after.readFileSync('/second', 'utf8'), 'second')
      assert.is(after.readFileSync('/third', 'utf8'), 'third')
    }))

  test('a change to what the guest has put something else for is refused by its name', () =>
    withContainer({}, async (container) => {
      await container.start()
      {
        await using fs = await container.fs({ writable: true })
        fs.mkdirSync('/d')
        fs.mkdirSync('/aside')
      }
      const fs = await container.fs({ writable: true })
      fs.writeFileSync('/d/written', '')
      await exec(container, wall.rename('/d', '/e'))
      await exec(container, wall.symlink('/aside', '/d'))
      await assertRejects(closed(fs), 'CONFLICT', /\/d\/written cannot be written.*ELOOP/)
      await using after = await container.fs()
      assert.equal(after.readdirSync('/aside'), [])
      assert.equal(after.readdirSync('/e'), [])
    }))

  test('what was written while a container ran is kept when it has ended, and lost with it when it was removed', async () => {
    await withContainer({}, async (container) => {
      await container.start()
      const fs = await container.fs({ writable: true })
      fs.writeFileSync('/late', 'late')
      await end(container)
      await fs[Symbol.asyncDispose]()
      await using after = await container.fs()
      assert.is(after.readFileSync('/late', 'utf8'), 'late')
    })
    await withContainer({}, async (container) => {
      await container.start()
      const fs = await container.fs({ writable: true })
      fs.writeFileSync('/late', 'late')
      await end(container)
      await container.remove()
      await assertRejects(closed(fs), 'CONTAINER_NOT_FOUND')
    })
  })

  test('a root that is read-only is not written, and nothing can be kept in a container that is made to be removed', async () => {
    await withContainer({ readonlyRootfs: true }, async (container) => {
      await using fs = await container.fs({ writable: true })
      assert.throws(() => fs.writeFileSync('/f', ''), /EROFS/)
    })
    await withContainer({ autoRemove: true }, async (container) => {
      await assertRejects(container.fs({ writable: true }), 'CONFLICT')
    })
  })

  test('nothing is left', () => wolffia.end())
}
