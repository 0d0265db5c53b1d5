/** esbuild as a WASI program, a Go one of 20 MB: it finds a project that lies in a layer of the image, and bundles it. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { runInNewContext } from 'node:vm'
import * as assert from 'uvu/assert'
import { suite } from '../support/suite.js'
import { withWasmWall } from '../support/wasm-wall.js'

const esbuild = readFileSync(join('node_modules', '@esbuild', 'wasi-preview1', 'esbuild.wasm'))
const test = suite('wasm/esbuild')

const PROJECT = {
  '/src/package.json': '{"name":"project","type":"module"}',
  '/src/tsconfig.json': '{"compilerOptions":{"paths":{"#words":["./lib/words.ts"]}}}',
  '/src/main.ts': "import { words } from '#words'\nimport { shout } from 'shout'\nconsole.log(shout(words satisfies string))\n",
  '/src/lib/words.ts': "export const words: string = 'from a layer'\nexport const unused = 'left out'\n",
  '/src/node_modules/shout/package.json': '{"name":"shout","module":"index.mjs"}',
  '/src/node_modules/shout/index.mjs': 'export const shout = (text) => text.toUpperCase()\n',
}

test(
  'esbuild bundles a project that lies in an image layer',
  () =>
    withWasmWall({ '/esbuild.wasm': esbuild, ...PROJECT }, async ({ run }) => {
      const { status, stdout, stderr } = await run(['/esbuild.wasm', '--bundle', '--log-level=warning', 'main.ts'], {
        change: { process: { env: ['PWD=/src'], cwd: '/src' } },
      })
      assert.equal([status.exitCode, stderr], [0, ''])
      assert.not.match(stdout, 'left out')
      const said: string[] = []
      runInNewContext(stdout, { console: { log: (text: string) => said.push(text) } })
      assert.equal(said, ['FROM A LAYER'])
    }),
  { timeoutMs: 240_000 },
)

test.run()
