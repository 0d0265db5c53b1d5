import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import { Plugin, type PluginOptions } from '../../src/index.js'
import { extismCall } from '../extism.js'
import type { Subject } from '../measure.js'
import type { Workbench } from '../workbench.js'
import { orMissing, type Workload } from '../workload.js'

/**
 * A module by hand: a page of memory, `allocate` that always gives 1024, and `echo`, which gives back what it is given; two pages, so that 64 KiB fit.
 */
const ECHO_MODULE = Buffer.from(
  '0061736d01000000010c0260017f017f60027f7f017e03030200010503010002071c03' +
    '066d656d6f7279020008616c6c6f636174650000046563686f0001' +
    '0a140205004180080b0c002000ad4220862001ad840b',
  'hex',
)
const SMALL_BYTES = 64
const LARGE_BYTES = 65_536
const BATCH = 100
const WORKER =
  "require('node:worker_threads').parentPort.on('message', (bytes) => require('node:worker_threads').parentPort.postMessage(bytes))"

/** One call of a function that gives back its input, from the call to the answer, beside other ways to have a stranger's code do something. */
export const plugin: Workload = {
  name: 'plugin',
  summary: 'one call of a plugin, there and back, beside Extism, a worker and a new process',
  unit: 'ms',
  rounds: 200,
  quickRounds: 10,
  async open(workbench) {
    const kept = { instances: 'kept' } as const
    return [
      await orMissing('64 B', () => called(workbench, SMALL_BYTES)),
      await orMissing('64 KiB', () => called(workbench, LARGE_BYTES)),
      await orMissing('64 B, kept instance', () => called(workbench, SMALL_BYTES, kept)),
      await orMissing('64 KiB, kept instance', () => called(workbench, LARGE_BYTES, kept)),
      await orMissing('64 B in a batch of 100', () => batched(workbench)),
      await orMissing('64 B, kept, in a batch of 100', () => batched(workbench, kept)),
      await orMissing('64 B, kept, 100 in a row', () => inARow(workbench)),
      await orMissing('Extism in a worker, 64 B', () => extismCall(workbench, 'Extism in a worker, 64 B', SMALL_BYTES, true)),
      await orMissing('Extism in a worker, 64 KiB', () => extismCall(workbench, 'Extism in a worker, 64 KiB', LARGE_BYTES, true)),
      await orMissing('Extism without a worker, 64 B', () => extismCall(workbench, 'Extism without a worker, 64 B', SMALL_BYTES, false)),
      await orMissing('Extism without a worker, 64 KiB', () =>
        extismCall(workbench, 'Extism without a worker, 64 KiB', LARGE_BYTES, false),
      ),
      plainWorker(workbench),
      newProcess(),
    ]
  },
}

async function load(workbench: Workbench, options: Pick<PluginOptions, 'instances'>): Promise<Plugin> {
  const loaded = await Plugin.load({ bytes: ECHO_MODULE, ...options })
  workbench.atEnd(() => loaded.close())
  return loaded
}

async function called(workbench: Workbench, bytes: number, options: Pick<PluginOptions, 'instances'> = {}): Promise<Subject> {
  const loaded = await load(workbench, options)
  const input = Buffer.alloc(bytes, 7)
  const name = `${bytes === SMALL_BYTES ? '64 B' : '64 KiB'}${options.instances === 'kept' ? ', kept instance' : ''}`
  return { name, sample: () => timed(() => loaded.call('echo', input)) }
}

async function batched(workbench: Workbench, options: Pick<PluginOptions, 'instances'> = {}): Promise<Subject> {
  const loaded = await load(workbench, options)
  const inputs = Array.from({ length: BATCH }, () => Buffer.alloc(SMALL_BYTES, 7))
  const name = options.instances === 'kept' ? '64 B, kept, in a batch of 100' : '64 B in a batch of 100'
  return { name, sample: async () => (await timed(() => loaded.batch('echo', inputs))) / BATCH }
}

/** Calls that follow one another find a processor that is awake. */
async function inARow(workbench: Workbench): Promise<Subject> {
  const loaded = await load(workbench, { instances: 'kept' })
  const input = Buffer.alloc(SMALL_BYTES, 7)
  const row = async () => {
    for (let made = 0; made < BATCH; made++) await loaded.call('echo', input)
  }
  return { name: '64 B, kept, 100 in a row', sample: async () => (await timed(row)) / BATCH }
}

/** No wall at all: what a thread and its messages cost. */
function plainWorker(workbench: Workbench): Subject {
  const worker = new Worker(WORKER, { eval: true })
  workbench.atEnd(async () => void (await worker.terminate()))
  const input = Buffer.alloc(SMALL_BYTES, 7)
  return {
    name: 'plain worker, 64 B',
    sample: () =>
      timed(async () => {
        const answered = once(worker, 'message')
        worker.postMessage(input)
        await answered
      }),
  }
}

/** No wall either: a process for each call. */
function newProcess(): Subject {
  return { name: 'child_process.spawn of true', sample: () => timed(() => once(spawn('/bin/true', { stdio: 'ignore' }), 'exit')) }
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const start = performance.now()
  await work()
  return performance.now() - start
}
