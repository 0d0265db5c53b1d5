/**
 * Random lives: commands of docker's on a few names, from four at once, some of them killed with -9 at any moment. Afterwards every
 * container that is left answers, and once it is removed nothing of ours is there.
 */
import { once } from 'node:events'
import { resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import * as assert from 'uvu/assert'
import { CommandLine } from '../support/command-line.js'
import { BUSYBOX, NATIVE, WASM } from '../support/requirements.js'
import { type Random, randomFrom, SOAK, soak } from '../support/soak.js'
import { suite } from '../support/suite.js'

const test = suite('e2e/random lives')
const wolffia = new CommandLine()
const NAMES = ['ant', 'bee', 'cat']
const LINES_AT_ONCE = 4
const LINES = 8
/** Of a mistake that a command may make when another was quicker: all but a fault of wolffia's own. */
const KNOWN_EXIT_CODES = [0, 1, 125, 126, 127, 130, 137, 143]

function line(random: Random): readonly string[] {
  const name = random.pick(NAMES)
  const make = random.pick([
    ['busybox', 'sh', '-c', 'while :; do echo x; sleep 0.1; done'],
    ['busybox', 'sh', '-c', 'sleep 0.2; exit 3'],
    ['busybox', 'nosuch'],
    ['probe', 'print', 'x', ',', 'loop'],
  ])
  const kept = random.pick([[], [], ['--rm'], ['--restart', 'on-failure:3']])
  return random.pick([
    ['create', '--name', name, ...kept, ...make],
    ['run', '-d', '--name', name, ...kept, ...make],
    ['run', '-d', '--name', name, ...kept, ...make],
    ['run', '--name', name, '--timeout', '1s', ...make],
    ['start', name],
    ['start', '-a', name],
    ['exec', name, 'sh', '-c', 'echo in; exit 5'],
    ['stop', '-t', '0', name],
    ['kill', name],
    ['restart', '-t', '0', name],
    ['pause', name],
    ['unpause', name],
    ['rename', name, random.pick(NAMES)],
    ['logs', name],
    ['rm', '-f', name],
    ['rm', name],
    ['ps', '-a'],
  ])
}

async function typeLines(random: Random): Promise<void> {
  for (let count = 0; count < LINES; count++) {
    const words = line(random)
    const child = wolffia.start(words)
    let said = ''
    child.stderr.on('data', (text) => {
      said += text
    })
    child.stdout.resume()
    const closed = once(child, 'close')
    const isKilled = random.below(4) === 0
    // One that takes part in what goes on for ever is ended in any case.
    const ending = setTimeout(() => child.kill('SIGKILL'), isKilled ? random.below(400) : 3000)
    const [code] = await closed
    clearTimeout(ending)
    assert.not.match(said, /fault of wolffia's own/, `${words.join(' ')}: ${said}`)
    if (code !== null) assert.ok(KNOWN_EXIT_CODES.includes(code) || code < 8, `${words.join(' ')} ended with ${code}: ${said}`)
  }
}

/** What `ps` says of each is true, and each can be told to end. */
async function everyoneAnswers(): Promise<void> {
  const rows = (await wolffia.output('ps', '-a', '--format', '{{.ID}} {{.State}}')).trim().split('\n')
  for (const [id = '', state] of rows.filter((row) => row !== '').map((row) => row.split(' '))) {
    const inspected = JSON.parse(await wolffia.output('inspect', '-f', '{{json .State}}', id).catch(() => '{}'))
    if (state === 'running' && inspected.Status === 'running') process.kill(inspected.Pid, 0)
    await wolffia.run(['unpause', id])
    const { code, stderr } = await wolffia.run(['rm', '-f', id])
    assert.is(code, 0, stderr)
  }
  assert.is(await wolffia.output('ps', '-aq'), '')
  assert.equal(wolffia.containers(), [])
}

test.needs(NATIVE, WASM, BUSYBOX)(
  'random lives from four at once, some commands killed, leave containers that answer, and nothing once they are removed',
  async () => {
    await wolffia.busybox()
    await wolffia.output('import', resolve('dist/wasm/probe.wasm'), 'probe')
    await soak(async (random) => {
      const seeds = Array.from({ length: LINES_AT_ONCE }, () => random.below(2 ** 31))
      await Promise.all(seeds.map((seed) => typeLines(randomFrom(seed))))
      // What a launcher runs after an end may still be at it.
      await sleep(500)
      await everyoneAnswers()
    })
    await wolffia.output('run', '--rm', 'busybox', 'true')
    await wolffia.end()
  },
  SOAK,
)

test.run()
