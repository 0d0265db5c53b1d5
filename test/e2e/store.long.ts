/**
 * Everything that writes to the store, from several at once, killed with -9 at any moment. Whatever was done or not, `system check` finds no
 * more than what the dead have left, takes that away, and then everything is whole; and when all images are removed nothing is left.
 */
import { once } from 'node:events'
import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import * as assert from 'uvu/assert'
import type { CheckReport } from '../../src/engine/check.js'
import { CommandLine } from '../support/command-line.js'
import { tarOf } from '../support/image-fixtures.js'
import { hostArchitecture, RegistryServer } from '../support/registry-server.js'
import { BUSYBOX, NATIVE, WASM } from '../support/requirements.js'
import { type Random, randomFrom, SOAK, soak } from '../support/soak.js'
import { suite } from '../support/suite.js'

const test = suite('e2e/store kill loop')
const wolffia = new CommandLine()
const NAMES = ['ant:1', 'bee:1', 'cat:1', 'cat:2']
const WRITERS = 4
const COMMANDS_EACH = 4
const LONGEST_LIFE_MS = 1200

/** Archives that are loaded, beside the home; the images that are saved go there too. */
const ARCHIVES = ['plain.tar', 'packed.tar', 'folder']
/** In a registry of this process: what is pulled and pushed, under names that are here too as long as nobody has removed them. */
const REMOTE = ['team/ant:1', 'team/bee:1', 'team/many:1']
let registry: RegistryServer
const remote = (random: Random) => `${registry.host}/${random.pick(REMOTE)}`

/**
 * One command of each kind that changes the store or reads much of it, with whatever names come up; one more kind is one more line. `scratch`
 * is a path of the command's own for what it writes.
 */
const ACTIONS: readonly ((random: Random, scratch: string) => readonly string[])[] = [
  (random) => ['load', '-q', '-i', random.pick(ARCHIVES)],
  (random) => ['import', 'small.tar', random.pick(NAMES)],
  (random) => ['tag', random.pick(['busybox', ...NAMES]), random.pick(NAMES)],
  (random) => ['pull', '-q', remote(random)],
  (random) => ['pull', '-q', '--all-platforms', remote(random)],
  (random) => ['tag', random.pick(NAMES), remote(random)],
  (random) => ['push', '-q', remote(random)],
  (random) => ['push', '-q', '-a', remote(random).replace(/:1$/, '')],
  (random) => ['rmi', remote(random)],
  (random) => ['run', '--rm', '-q', '--pull', 'always', remote(random), 'true'],
  (random) => ['rmi', random.pick(NAMES)],
  (random) => ['rmi', '-f', random.pick(NAMES)],
  () => ['image', 'prune', '-f'],
  () => ['system', 'prune', '-f'],
  () => ['run', '--name', 'kept', 'busybox', 'sh', '-c', 'echo kept > /kept'],
  (random) => ['commit', 'kept', random.pick(NAMES)],
  (random) => ['build', '-q', '-t', random.pick(NAMES), 'context'],
  (random, scratch) => ['save', '-o', scratch, random.pick(['busybox', ...NAMES])],
  (random, scratch) => ['save', '--format', 'oci-dir', '--compression', 'gzip', '-o', scratch, random.pick(['busybox', ...NAMES])],
  () => ['run', '--rm', 'busybox', 'true'],
  (random) => ['run', '--rm', random.pick(NAMES), 'true'],
  () => ['run', '--rm', 'probe', 'exit', '0'],
  () => ['system', 'check', '--repair', '--json'],
]

/** A few commands one after the other, most of them killed. */
async function write(random: Random, scratch: string): Promise<void> {
  for (let count = 0; count < COMMANDS_EACH; count++) {
    const words = random.pick(ACTIONS)(random, `${scratch}-${count}`)
    const child = wolffia.start(words)
    let said = ''
    child.stderr.on('data', (text) => {
      said += text
    })
    child.stdout.on('data', (text) => {
      said += text
    })
    const closed = once(child, 'close')
    const isKilled = random.below(3) > 0
    const timer = isKilled ? setTimeout(() => child.kill('SIGKILL'), random.below(LONGEST_LIFE_MS)) : undefined
    const [code] = await closed
    clearTimeout(timer)
    commands++
    if (code === null) killed++
    assert.not.match(said, /fault of wolffia's own/, `${words.join(' ')}: ${said}`)
    if (words[1] === 'check' && code !== null) onlyLeftovers(JSON.parse(said) as CheckReport)
  }
}

let requests = 0
let commands = 0
let killed = 0

/** No name, blob, layer or tree is ever damaged by a kill: what may be there is what the dead were about to do. */
function onlyLeftovers({ damages }: CheckReport): void {
  assert.equal(
    damages.filter(({ kind }) => kind !== 'leftover' && kind !== 'tree'),
    [],
  )
  // A tree whose writer was killed is not marked as whole; one that is marked never differs from its layer.
  for (const { kind, problem } of damages) if (kind === 'tree') assert.match(problem, /no mark|begun and not finished|that (is|are) gone/)
}

async function report(...flags: readonly string[]): Promise<CheckReport> {
  const { stdout, stderr } = await wolffia.run(['system', 'check', '--json', ...flags])
  assert.not.match(stderr, /fault of wolffia's own/)
  return JSON.parse(stdout) as CheckReport
}

async function prepare(): Promise<void> {
  await wolffia.busybox()
  await wolffia.output('import', resolve('dist/wasm/probe.wasm'), 'probe')
  writeFileSync(join(wolffia.folder, 'small.tar'), tarOf({ small: 'x'.repeat(200_000) }))
  for (const [number, name] of NAMES.entries()) {
    writeFileSync(join(wolffia.folder, 'more.tar'), tarOf({ 'bin/true': '', [`more${number}`]: Buffer.alloc(2_000_000, name) }))
    await wolffia.output('import', 'more.tar', name)
  }
  for (const [at, name] of REMOTE.slice(0, 2).entries()) {
    await wolffia.output('tag', NAMES[at] ?? '', `${registry.host}/${name}`)
    await wolffia.output('push', '-q', `${registry.host}/${name}`)
  }
  const many = registry.repository('team/many')
  const images = [hostArchitecture(), 's390x'].map((architecture) => ({
    ...many.image(
      [tarOf({ 'bin/true': '', shared: 'x'.repeat(300_000) }), tarOf({ architecture: Buffer.alloc(1_000_000, architecture) })],
      {
        config: { architecture },
      },
    ),
    platform: { os: 'linux', architecture },
  }))
  many.index(images, '1')
  // A line that is broken now and then, within what comes and what goes.
  registry.rules.push(({ method, path, response, socket }) => {
    if (!path.includes('/blobs/') || ++requests % 29 > 0) return false
    if (method === 'GET') response.writeHead(200).write('x'.repeat(1000), () => socket.destroy())
    else socket.destroy()
    return true
  })
  mkdirSync(join(wolffia.folder, 'context'))
  writeFileSync(join(wolffia.folder, 'context/Dockerfile'), 'FROM busybox\nCOPY Dockerfile /\nRUN echo built > /built\n')
  await wolffia.output('save', '-o', 'plain.tar', 'ant:1', 'busybox')
  await wolffia.output('save', '--compression', 'gzip', '-o', 'packed.tar', ...NAMES)
  await wolffia.output('save', '--format', 'oci-dir', '-o', 'folder', 'bee:1', 'cat:2')
}

test.needs(NATIVE, WASM, BUSYBOX)(
  'whatever is killed while it writes to the store, everything is whole when what it left is taken away, and nothing stays when all is removed',
  async () => {
    registry = await RegistryServer.start()
    try {
      await prepare()
      const scratch = join(wolffia.folder, 'scratch')
      await soak(async (random) => {
        rmSync(scratch, { recursive: true, force: true })
        mkdirSync(scratch)
        const seeds = Array.from({ length: WRITERS }, () => random.below(2 ** 31))
        await Promise.all(seeds.map((seed, at) => write(randomFrom(seed), join(scratch, `${at}`))))
        // Launchers end with the commands that were killed; what a launcher runs after an end may still be at it.
        await untilQuiet()
        onlyLeftovers(await report())
        const repaired = await report('--repair')
        assert.ok(repaired.whole, JSON.stringify(repaired.damages, null, 1))
        assert.equal((await report()).damages, [])
        assert.is(await wolffia.output('run', '--rm', 'busybox', 'cat', '/bin/text'), 'not a program')
      })
      console.log(`${commands} commands, ${killed} of them killed`)
      await wolffia.output('system', 'prune', '-af', '--volumes')
      const left = readdirSync(wolffia.home, { recursive: true, withFileTypes: true })
        .filter((entry) => !entry.isDirectory())
        .map(({ name }) => name)
      // The journal is kept on purpose, and so is what this host's overlay can do.
      // So is a claim to a lock by somebody who was killed: whoever wants the lock next takes it away.
      assert.equal(left.filter((name) => !/^events\.log|^(choosing|\d+)-\d+-\d+-\d+-/.test(name)).sort(), [
        'index.json',
        'oci-layout',
        'probe.json',
      ])
      assert.ok((await report()).whole)
    } finally {
      await registry[Symbol.asyncDispose]()
    }
    await wolffia.end()
  },
  SOAK,
)

async function untilQuiet(): Promise<void> {
  for (let attempt = 0; attempt < 400; attempt++) {
    if (wolffia.processes().length === 0) return
    await sleep(25)
  }
  assert.equal(wolffia.processes(), [])
}

test.run()
