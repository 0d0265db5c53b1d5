/** The README's examples, run as they stand there. */
import { execFile } from 'node:child_process'
import { copyFileSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import * as assert from 'uvu/assert'
import { makeImages } from '../images/make.js'
import { Engine } from '../src/index.js'
import { CommandLine } from './support/command-line.js'
import { BUSYBOX, NATIVE, program, SKOPEO } from './support/requirements.js'
import { suite } from './support/suite.js'

const test = suite('readme')
const wolffia = new CommandLine()
const PYTHON3 = program('python3')

/** The README's code blocks in one language. */
function blocks(language: string): string[] {
  return [...readFileSync('README.md', 'utf8').matchAll(/^```(\w*)\n(.*?)^```$/gms)]
    .filter((match) => match[1] === language)
    .map((match) => match[2] ?? '')
}

/** The files the examples speak of, small ones: busybox stands in for Debian. */
async function prepareFiles(): Promise<void> {
  await wolffia.busybox()
  const root = join(wolffia.folder, 'root')
  writeFileSync(join(root, 'etc/os-release'), 'ID=debian\n')
  await promisify(execFile)('tar', ['-C', root, '--owner=0', '--group=0', '-cf', join(wolffia.folder, 'debian.tar'), '.'])
  const copy = ['--insecure-policy', 'copy', `oci:${wolffia.home}:docker.io/library/busybox:latest`]
  await promisify(execFile)('skopeo', [...copy, `docker-archive:${join(wolffia.folder, 'image.tar')}:example:1`])
  copyFileSync(resolve('dist/wasm/hello.wasm'), join(wolffia.folder, 'hello.wasm'))
  copyFileSync(resolve('test/fixtures/seccomp-profile.json'), join(wolffia.folder, 'profile.json'))
  mkdirSync(join(wolffia.folder, 'app'))
  writeFileSync(join(wolffia.folder, 'app/greeting'), 'hello from a Dockerfile\n')
  const dockerfile = 'FROM debian:12\nWORKDIR /srv\nCOPY greeting .\nRUN cat greeting > shown\nCMD ["cat", "shown"]\n'
  writeFileSync(join(wolffia.folder, 'app/Dockerfile'), dockerfile)
  await using engine = await Engine.open({ home: wolffia.home })
  await makeImages(engine, ['python'])
}

test.needs(
  NATIVE,
  BUSYBOX,
  SKOPEO,
  PYTHON3,
)(
  'the commands work as the README shows them',
  async () => {
    await prepareFiles()
    const [script] = blocks('sh')
    assert.ok(script)
    const lines = script.split('\n').filter((line) => line !== '' && !line.startsWith('#'))
    for (const line of lines) {
      const words = line.split(' ')
      if (words.includes('-it')) {
        const { code, stdout } = await wolffia.atTerminal(words.slice(1), [{ expect: '#' }, { send: 'exit 3\r' }])
        assert.is(code, 3, `${line}: ${stdout}`)
        continue
      }
      const command = `wolffia() { "${process.execPath}" "${resolve('dist/cli.cjs')}" "$@"; }; ${line}`
      const env = { PATH: process.env.PATH, HOME: wolffia.folder, WOLFFIA_HOME: wolffia.home, WOLFFIA_HOLDER_SECONDS: '2' }
      const { stdout } = await promisify(execFile)('bash', ['-c', command], { cwd: wolffia.folder, env })
      if (line.includes('sum(')) assert.is(stdout, '3\n')
      if (line.endsWith('run --rm app')) assert.is(stdout, 'hello from a Dockerfile\n')
      if (line.includes('os-release')) assert.match(stdout, 'ID=debian')
    }
    const receipt = JSON.parse(readFileSync(join(wolffia.folder, 'receipt.json'), 'utf8'))
    assert.is(receipt.kernel.seccomp.mode, 2)
  },
  { timeoutMs: 300_000 },
)

test('the library example works as the README shows it', async () => {
  await wolffia.output('import', resolve('dist/wasm/hello.wasm'), 'hello')
  assert.match(await outputOfExample(0), /^hello from wasm\n0 exited (true|false)\n$/)
})

test.needs(NATIVE)('the example of a container that is nobody’s works as the README shows it', async () => {
  assert.match(await outputOfExample(1), /^stdout \d{4}-\S+Z hello from wasm\n\n$/)
})

test.needs(NATIVE)('the example of prewarmed containers works as the README shows it', async () => {
  assert.is(await outputOfExample(2), '0\n')
})

test('the example with a memfs Volume works as the README shows it', async () => {
  await wolffia.output('import', resolve('dist/wasm/probe.wasm'), 'plugin')
  assert.is(await outputOfExample(3), "{ '/final': 'written by the host' }\n")
})

test('the example of a container’s files works as the README shows it', async () => {
  await wolffia.output('import', resolve('dist/wasm/probe.wasm'), 'plugin')
  assert.is(await outputOfExample(4), 'written before the start\nfalse\n')
})

test('the example of a plugin that is called ten thousand times works as the README shows it', async () => {
  copyFileSync(resolve('dist/wasm/slug.wasm'), join(wolffia.folder, 'slug.wasm'))
  assert.is(await outputOfExample(5), 'hello-world\ntitle-no-9999 10000\n')
})

test.needs(PYTHON3)(
  'the example of generated Python works as the README shows it',
  async () => {
    {
      await using engine = await Engine.open({ home: wolffia.home })
      await makeImages(engine, ['python'])
    }
    const [sum, refused, late] = (await outputOfExample(6)).split('\n')
    assert.is(sum, 'exited 0 7 ')
    assert.match(refused ?? '', /^exited 1 {2}OSError: .*Read-only file system: '\/data\/sales\.csv'/)
    assert.is(late, 'timeout 137  ')
  },
  { timeoutMs: 180_000 },
)

/** What the README's example with this number prints as a program of its own. */
async function outputOfExample(number: number): Promise<string> {
  const example = blocks('ts')[number]
  assert.ok(example)
  const folder = join(wolffia.folder, `library-${number}`)
  mkdirSync(join(folder, 'node_modules'), { recursive: true })
  symlinkSync(resolve('.'), join(folder, 'node_modules/wolffia'))
  symlinkSync(resolve('node_modules/memfs'), join(folder, 'node_modules/memfs'))
  const source = join(folder, 'example.ts')
  writeFileSync(source, example)
  const esbuild = resolve('node_modules/esbuild/bin/esbuild')
  const program = join(folder, 'example.mjs')
  await promisify(execFile)(esbuild, [source, '--format=esm', '--target=node20', `--outfile=${program}`])
  const { stdout } = await promisify(execFile)(process.execPath, [program], {
    cwd: wolffia.folder,
    env: { ...process.env, WOLFFIA_HOME: wolffia.home },
  })
  return stdout
}

test('nothing is left', () => wolffia.end())

test.run()
