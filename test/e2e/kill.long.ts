/** `run` killed with -9 at any moment, several at once: the next command cleans what is left, and nothing of ours stays. */
import { once } from 'node:events'
import { resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { CommandLine } from '../support/command-line.js'
import { BUSYBOX, NATIVE, WASM } from '../support/requirements.js'
import { type Random, SOAK, soak } from '../support/soak.js'
import { suite } from '../support/suite.js'

const test = suite('e2e/kill loop')
const wolffia = new CommandLine()

async function runAndKill(random: Random): Promise<void> {
  const words = random.pick([
    ['run', '--rm', 'busybox', 'sleep', '30'],
    ['run', 'busybox', 'sh', '-c', 'while :; do :; done'],
    ['run', '--rm', '-i', 'busybox', 'cat'],
    ['run', '--rm', 'probe', 'loop'],
    ['run', 'probe', 'loop'],
  ])
  const child = wolffia.start(words)
  await sleep(random.below(700))
  child.kill(random.pick(['SIGKILL', 'SIGKILL', 'SIGTERM', 'SIGHUP']))
  await once(child, 'close')
}

test.needs(NATIVE, WASM, BUSYBOX)(
  'commands killed at any moment leave nothing that the next command does not clean',
  async () => {
    await wolffia.busybox()
    await wolffia.output('import', resolve('dist/wasm/probe.wasm'), 'probe')
    await soak(async (random) => {
      await Promise.all(Array.from({ length: 3 }, () => runAndKill(random)))
      await wolffia.output('ps', '-a')
    })
    // The next container, which also clears away what a killed probe of the host left.
    await wolffia.output('run', '--rm', 'busybox', 'true')
    await wolffia.end()
  },
  SOAK,
)

test.run()
