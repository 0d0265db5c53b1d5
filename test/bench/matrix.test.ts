import { mkdirSync, readFileSync } from 'node:fs'
import { release } from 'node:os'
import { join } from 'node:path'
import * as assert from 'uvu/assert'
import type { Driver } from '../../bench/driver.js'
import type { HostFacts } from '../../bench/host.js'
import { workloadOf } from '../../bench/matrix/column.js'
import { outlooks } from '../../bench/matrix/outlook.js'
import { matrixTable } from '../../bench/matrix/table.js'
import { page } from '../../bench/page.js'
import { type PlacedMode, placed } from '../../bench/place.js'
import { outlookPlot, picture } from '../../bench/plots.js'
import { findingsOf } from '../../bench/protection/prober.js'
import { examineModes } from '../../bench/protection/protection.js'
import { protectionTable } from '../../bench/protection/table.js'
import { runWorkload } from '../../bench/run-workload.js'
import { reportOf, type SavedReport } from '../../bench/saved-report.js'
import { Unavailable } from '../../bench/unavailable.js'
import { SECRET } from '../../bench/wasm-attacks/attack.js'
import type { RunAttack } from '../../bench/wasm-attacks/engines.js'
import { Workbench } from '../../bench/workbench.js'
import { program } from '../support/requirements.js'
import { suite } from '../support/suite.js'

const test = suite('bench/matrix')
const withCompiler = test.needs(program('cc'))

function mode(name: string, place: PlacedMode['place']): PlacedMode {
  return placed({ name, summary: '', place })
}

/** A mode whose guests are the host's own programs, under a shell that may spoil them. */
function shell(name: string, before: string): PlacedMode {
  return mode(name, async (workbench) => ({
    driver: await workbench.driver(),
    command: async (words) => ['sh', '-c', `${before} exec "$@"`, 'sh', ...words],
    writable: '/tmp',
    containers: 'none',
  }))
}

const MODES = [
  shell('sound', ''),
  mode('missing', async () => {
    throw new Unavailable('missing is not installed')
  }),
  mode('broken', async () => {
    throw new Error('a fault of its own')
  }),
  shell('failing', 'exit 3;'),
]

async function run(): Promise<SavedReport> {
  await using workbench = await Workbench.open({ quick: true })
  const results = []
  for (const name of ['echo', 'false']) {
    const column = {
      name,
      summary: name,
      unit: 'ms' as const,
      rounds: 3,
      quickRounds: 3,
      open:
        async ({ talk }: Parameters<Parameters<typeof workloadOf>[0]['open']>[0]) =>
        async () =>
          (await talk([name, 'x'])).durationMs,
    }
    results.push(await runWorkload(workbench, workloadOf(column, MODES), { quick: true, seed: 1, precision: null }))
  }
  return reportOf({
    host: {
      kernel: '6.1',
      cpu: 'x',
      cpuCount: 2,
      node: 'v20',
      uid: 1000,
      load1: 0,
      memoryBytes: 1,
      mitigations: {},
      programs: {},
      takenAt: '2026-01-01T00:00:00Z',
    } as HostFacts & object,
    quietness: { busy: 0, quiet: true, waitedMs: 1000 },
    settings: { seed: 1, quick: true, precision: null },
    results,
    matrix: ['echo', 'false'],
    protection: [
      {
        mode: 'sound',
        setUpBy: 'an ordinary user',
        findings: [
          { aspect: 'kernel', text: "the host's", holds: false },
          { aspect: 'filter', text: 'seccomp', holds: true },
          { aspect: 'devices', text: '<13>', holds: null },
        ],
        failure: null,
      },
      { mode: 'missing', setUpBy: 'root', findings: [], failure: 'missing is not installed' },
    ],
    verdicts: [],
    later: [],
  })
}

withCompiler('a mode that is missing, broken or refuses is a row that says why, and what fails in one cell fails there alone', async () => {
  const report = await run()
  const text = matrixTable(report)
  assert.match(text, /^ +echo, ms +false, ms$/m)
  assert.match(text, /^sound +[\d.]+ +-$/m)
  assert.match(text, /^missing +- +-$/m)
  assert.match(text, /^missing: missing is not installed$/m)
  assert.match(text, /^broken: a fault of its own$/m)
  assert.match(text, /^failing \(echo\): echo x: ended with 3$/m)
  assert.match(text, /^sound \(false\): false x: ended with 1$/m)
})

withCompiler('protection stands beside cost: in the table, on the page and in the plot', async () => {
  const report = await run()
  const text = protectionTable(report.protection)
  assert.match(text, /^sound +the host's ! +seccomp$/m)
  assert.match(text, /^missing: missing is not installed$/m)
  const [outlook, ...more] = outlooks(report)
  assert.equal([outlook?.mode, outlook?.held, outlook?.asked, more], ['sound', 1, 2, []])
  const html = page(report)
  assert.match(html, /<td class="missed">the host&#39;s !<\/td><td class="met">seccomp<\/td><td>&lt;13&gt;<\/td>/)
  assert.ok(html.includes(outlookPlot(outlooks(report)).slice(-200)))
  assert.match(picture(outlookPlot(outlooks(report))), /^<svg xmlns="http:\/\/www\.w3\.org\/2000\/svg"[^>]*><style>/)
})

test('a mode that cannot be examined says why, and the others are', async () => {
  await using workbench = await Workbench.open({ quick: true })
  const deaf = mode('deaf', async () => ({
    driver: {
      talk: async () => ({ durationMs: 1, exitCode: 0, firstByteMs: null, turnsMs: 0, output: 'kernel 6\n' }),
    } as unknown as Driver,
    command: async () => ['none'],
    writable: '/tmp',
    containers: 'none',
  }))
  const answers = 'kind program\nkernel 0.0\nseccomp 2\ncapabilities 0000000000000005\nno-new-privs 1\nhost-file read\ncalls 3 9\nend\n'
  const telling = mode('telling', async () => ({
    driver: { talk: async () => ({ durationMs: 1, exitCode: 0, firstByteMs: 1, turnsMs: 0, output: answers }) } as unknown as Driver,
    command: async () => ['none'],
    writable: '/tmp',
    containers: 'none',
  }))
  const [first, second] = await examineModes(workbench, [deaf, telling])
  assert.match(first?.failure ?? '', /did not come to its end: kernel 6/)
  const found = new Map(second?.findings.map(({ aspect, text, holds }) => [aspect, [text, holds]]))
  assert.equal(found.get('kernel'), ['its own or none', true])
  assert.equal(found.get('filter'), ['seccomp', true])
  assert.equal(found.get('capabilities'), ['2', null])
  assert.equal(found.get("host's files"), ['READ', false])
  assert.equal(found.get('system calls'), ['3 of 9', null])
})

test('what a guest may do to a kernel of its own is no reach for the host, told by when that kernel was booted', () => {
  const bootId = readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim()
  const held = (boot: string) => {
    const answers = new Map([
      ['kernel', release()],
      ['boot-id', boot],
      ['user-namespace', 'made'],
      ['host-file', 'read'],
    ])
    return new Map(findingsOf(answers).map(({ aspect, holds }) => [aspect, holds]))
  }
  const aspects = ['kernel', 'new user namespaces', "host's files"]
  assert.equal(
    aspects.map((aspect) => held(bootId).get(aspect)),
    [false, false, false],
  )
  assert.equal(
    aspects.map((aspect) => held('another').get(aspect)),
    [true, null, false],
  )
})

test('an attack that got through contradicts what the prober has found, and no such mode holds everything', async () => {
  await using workbench = await Workbench.open({ quick: true })
  const answers = 'kind module\nkernel 0.0\nhost-file unseen\nhost-write refused\nend\n'
  const module = (name: string, attempt: RunAttack) =>
    mode(name, async () => ({
      driver: { talk: async () => ({ durationMs: 1, exitCode: 0, firstByteMs: 1, turnsMs: 0, output: answers }) } as unknown as Driver,
      command: async () => ['none'],
      writable: '/data',
      attempt,
      containers: 'none',
    }))
  const nothing = { output: '', signal: null, endless: false, limited: false }
  const modes = [
    module('tight', async () => nothing),
    module('leaking', async (_module, words) => ({ ...nothing, output: words.join(' ') === 'cat /data/../secret' ? SECRET : '' })),
    module('writing', async (_module, words, data) => {
      if (words[0] === 'mkdir') mkdirSync(join(data, '../made'))
      return nothing
    }),
    module('refusing', async () => {
      throw new Error('it does not start')
    }),
  ]
  const found = await examineModes(workbench, modes)
  const cell = (name: string, aspect: string) =>
    found.find((each) => each.mode === name)?.findings.filter((finding) => finding.aspect === aspect)
  assert.equal(cell('tight', 'attacks held'), [{ aspect: 'attacks held', text: '20 of 20', holds: true }])
  assert.equal(cell('tight', "host's files"), [{ aspect: "host's files", text: 'unseen', holds: true }])
  assert.equal(cell('leaking', 'attacks held'), [
    { aspect: 'attacks held', text: '19 of 20', holds: false, detail: 'read by ".." (ESCAPED)' },
  ])
  assert.equal(cell('leaking', "host's files"), [{ aspect: "host's files", text: 'ATTACKED', holds: false, detail: 'read by ".."' }])
  assert.equal(cell('leaking', "host's folders")?.[0]?.holds, true)
  assert.equal(cell('writing', "host's folders")?.[0]?.holds, false)
  assert.equal(cell('refusing', 'attacks held'), [
    { aspect: 'attacks held', text: 'not tried', holds: null, detail: 'no attack could be tried: it does not start' },
  ])
  assert.match(protectionTable(found), /^leaking, attacks held: read by "\.\." \(ESCAPED\)$/m)
})

withCompiler('programs are attacked by the whole corpus in one container, and what ends otherwise counts for nobody', async () => {
  await using workbench = await Workbench.open({ quick: true })
  const attacked = (name: string, output: string) =>
    mode(name, async () => ({
      driver: { talk: async () => ({ durationMs: 1, exitCode: 0, firstByteMs: 1, turnsMs: 0, output }) } as unknown as Driver,
      command: async () => ['none'],
      writable: '/tmp',
      containers: 'none',
    }))
  const lines = ['alg 10', 'bpf 159', 'file-handles 11', 'vsock 12', 'slow 142'].map((line) => `attack ${line}\r\n`).join('')
  const here = `kernel ${release()}\nhost-file unseen\n`
  const [found, machine] = await examineModes(workbench, [
    attacked('some', `${here}${lines}end\n`),
    attacked('machine', `kernel 1.0\nhost-file unseen\n${lines}end\n`),
  ])
  const held = found?.findings.find(({ aspect }) => aspect === 'attacks held')
  assert.equal([held?.text, held?.detail], ['2 of 3', 'file-handles (REACHED)'])
  assert.is(found?.findings.find(({ aspect }) => aspect === "host's files")?.text, 'ATTACKED')
  // What falls there is the guest's own kernel.
  const own = machine?.findings.find(({ aspect }) => aspect === 'attacks held')
  assert.equal([own?.text, own?.holds, own?.detail], ['2 of 3, own kernel', null, 'file-handles (REACHED)'])
  assert.is(machine?.findings.find(({ aspect }) => aspect === "host's files")?.holds, true)
})

test.run()
