/**
 * Each folder of `golden/` is a build context with a Dockerfile, and `expected.json` says what becomes of it: an image (config, history,
 * tree) or an error (code, message, line). To add one, write the Dockerfile and an `expected.json` of `{}`, run
 * `WOLFFIA_GOLDEN=write npm test -- build/golden`, and read what was written.
 */
import { chmodSync, cpSync, existsSync, lstatSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import * as assert from 'uvu/assert'
import { type BuildOptions, EngineError } from '../../src/index.js'
import { type BuiltImage, describeBuilt, withBuilder, withoutHost } from '../support/build-cases.js'
import { BUSYBOX, NATIVE } from '../support/requirements.js'
import { suite } from '../support/suite.js'

interface Expected {
  readonly options?: Pick<BuildOptions, 'buildArgs' | 'labels' | 'target' | 'platform' | 'network'>
  readonly image?: BuiltImage
  readonly error?: ExpectedError
}

interface ExpectedError {
  readonly code: string
  readonly message: string
  readonly hint?: string
  readonly line?: unknown
}

const test = suite('build/golden')
const folder = resolve('test/build/golden')

for (const name of readdirSync(folder)) {
  const path = join(folder, name, 'expected.json')
  const expected: Expected = existsSync(path) ? JSON.parse(readFileSync(path, 'utf8')) : {}
  const dockerfile = readFileSync(join(folder, name, 'Dockerfile'), 'utf8')
  const runs = /^FROM busybox/m.test(dockerfile)
  const register = runs ? test.needs(NATIVE, BUSYBOX) : test
  register(`golden/${name}`, () =>
    withBuilder(
      async (engine, home) => {
        const context = join(home, 'context')
        cpSync(join(folder, name), context, { recursive: true, verbatimSymlinks: true })
        rmSync(join(context, 'expected.json'), { force: true })
        plainModes(context)
        const { options = {} } = expected
        const found: Expected = await engine.images.build({ ...options, context, tags: ['built'], created: new Date(0) }).then(
          async () => ({ image: await describeBuilt(engine, 'built') }),
          (error) => ({ error: errorOf(error, home) }),
        )
        const all = JSON.parse(JSON.stringify({ ...(expected.options === undefined ? {} : { options }), ...found }))
        if (process.env.WOLFFIA_GOLDEN === 'write') writeFileSync(path, `${JSON.stringify(all, null, 2)}\n`)
        else assert.equal(all, expected)
      },
      { busybox: runs },
    ),
  )
}

/** Modes as a fresh checkout has them, whatever the umask was. */
function plainModes(path: string): void {
  const found = lstatSync(path)
  if (found.isSymbolicLink()) return
  chmodSync(path, found.isDirectory() || found.mode & 0o100 ? 0o755 : 0o644)
  if (found.isDirectory()) for (const name of readdirSync(path)) plainModes(join(path, name))
}

function errorOf(error: unknown, home: string): ExpectedError {
  if (!(error instanceof EngineError)) throw error
  const { code, message, hint, data } = error
  return {
    code,
    message: withoutHost(message.replaceAll(home, '')),
    ...(hint === undefined ? {} : { hint: hint.replaceAll(home, '') }),
    ...(data.line === undefined ? {} : { line: data.line }),
  }
}

test.run()
