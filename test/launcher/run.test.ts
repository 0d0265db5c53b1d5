import { once } from 'node:events'
import { closeSync, openSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import { Worker } from 'node:worker_threads'
import * as assert from 'uvu/assert'
import { EngineError } from '../../src/errors.js'
import type { BoxOptions } from '../support/launcher-box.js'
import { idMaps, withBox } from '../support/launcher-box.js'
import { BUSYBOX, NATIVE } from '../support/requirements.js'
import { suite } from '../support/suite.js'

const test = suite('launcher/run')
const native = test.needs(NATIVE, BUSYBOX)

for (const idMap of idMaps()) {
  const under = `under a ${idMap.kind} id map`

  native(`exit codes and signals come back ${under}`, () =>
    withBox(async (box) => {
      for (const code of [0, 1, 7, 255]) {
        const { exited } = await box.shell(`exit ${code}`, { idMap })
        assert.equal([exited.code, exited.signal, exited.reason], [code, null, 'exited'])
      }
      for (const signal of [1, 9, 11, 15]) {
        const { exited } = await box.shell(`kill -${signal} $$`, { idMap })
        assert.equal([exited.code, exited.signal, exited.reason], [null, signal, 'signaled'])
      }
    }),
  )

  native(`stdin, stdout and stderr are the guest's own pipes ${under}`, () =>
    withBox(async (box) => {
      const { stdout, stderr } = await box.shell('cat; echo err >&2; for f in 0 1 2; do busybox readlink /proc/self/fd/$f; done', {
        idMap,
        input: 'some text\n',
      })
      assert.match(stdout, /^some text\npipe:\[\d+\]\npipe:\[\d+\]\npipe:\[\d+\]\n$/)
      assert.is(stderr, 'err\n')
    }),
  )

  native(`the guest starts with descriptors 0, 1, 2 and with no signal ignored or blocked ${under}`, () =>
    withBox(async (box) => {
      const { stdout } = await box.run(['busybox', 'grep', '-E', '^Sig(Ign|Blk)', '/proc/self/status'], { idMap })
      assert.is(stdout, 'SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n')
      assert.is((await box.shell('busybox ls /proc/$$/fd; :', { idMap })).stdout, '0\n1\n2\n')
    }),
  )

  native(`/dev/stdout can be opened again by the guest's user ${under}`, () =>
    withBox(async (box) => {
      const user = idMap.kind === 'range' ? ([1000, 1000] as const) : ([0, 0] as const)
      const { stdout, stderr } = await box.shell('echo again > /dev/stdout; busybox id -u', { idMap, user })
      assert.is(stdout, `again\n${user[0]}\n`, stderr)
    }),
  )

  native(`a failed exec says why ${under}`, () =>
    withBox(async (box) => {
      writeFileSync(join(box.root, 'plain'), 'no program', { mode: 0o644 })
      writeFileSync(join(box.root, 'garbage'), 'no program', { mode: 0o755 })
      writeFileSync(join(box.root, 'script'), '#!/no/such/interpreter\n', { mode: 0o755 })
      for (const [command, code] of [
        ['nothere', 'COMMAND_NOT_FOUND'],
        ['/nothere', 'COMMAND_NOT_FOUND'],
        ['', 'COMMAND_NOT_FOUND'],
        ['/script', 'COMMAND_NOT_FOUND'],
        ['/plain', 'COMMAND_NOT_EXECUTABLE'],
        ['/garbage', 'COMMAND_NOT_EXECUTABLE'],
        ['/etc', 'COMMAND_NOT_EXECUTABLE'],
        ['/plain/below', 'COMMAND_NOT_EXECUTABLE'],
      ] as const) {
        const error = await box.run([command], { idMap }).catch((thrown: unknown) => thrown)
        assert.instance(error, EngineError)
        assert.is((error as EngineError).code, code, command)
      }
    }),
  )
}

native('the program is looked up in the guest’s PATH and nowhere else', () =>
  withBox(async (box) => {
    const found = await box.run(['busybox', 'true'], { env: ['PATH=/nowhere:/etc/passwd:/bin'] })
    assert.is(found.exited.code, 0)
    for (const env of [[], ['PATH='], ['PATH=/nowhere']]) {
      const error = await box.run(['busybox', 'true'], { env }).catch((thrown: EngineError) => thrown.code)
      assert.is(error, 'COMMAND_NOT_FOUND', JSON.stringify(env))
    }
  }),
)

native('the guest’s environment and arguments are those of the plan, byte for byte', () =>
  withBox(async (box) => {
    const odd = 'A=\n\t"\\ü€'
    const { stdout } = await box.run(['/bin/busybox', 'env'], { env: [odd, 'EMPTY='] })
    assert.is(stdout, `${odd}\nEMPTY=\n`)
    const { stdout: echoed } = await box.run(['/bin/busybox', 'echo', '', 'ü ', '-n'], { env: [] })
    assert.is(echoed, ' ü  -n\n')
  }),
)

native('closed stdin reads as end of file, and the end of stdin is passed on', () =>
  withBox(async (box) => {
    assert.is((await box.run(['cat'])).stdout, '')
    assert.is((await box.run(['cat'], { input: '' })).stdout, '')
  }),
)

native('a megabyte goes through in both directions and arrives whole', () =>
  withBox(async (box) => {
    const input = 'abcdefghijklmno\n'.repeat(65536)
    assert.is((await box.run(['cat'], { input })).stdout === input, true)
  }),
)

native('a guest that ends without reading its stdin ends all the same', () =>
  withBox(async (box) => {
    assert.is((await box.shell('exit 3', { input: 'x'.repeat(1 << 20) })).exited.code, 3)
  }),
)

native('a background process that keeps the output open does not outlive the guest', () =>
  withBox(async (box) => {
    const started = Date.now()
    const { stdout, exited } = await box.shell('sleep 1000 & echo done')
    assert.equal([stdout, exited.code], ['done\n', 0])
    assert.ok(Date.now() - started < 20_000)
  }),
)

native('the output limit lets exactly so many bytes through', () =>
  withBox(async (box) => {
    const limited = (bytes: number): BoxOptions => ({ supervision: [['output-limit', bytes]] })
    const exact = await box.shell('printf 12345; printf 67890 >&2', limited(10))
    assert.equal([exact.stdout, exact.stderr, exact.exited.reason], ['12345', '67890', 'exited'])
    const over = await box.shell('printf 12345678901', limited(10))
    assert.equal([over.stdout, over.exited.reason], ['1234567890', 'limit'])
    const endless = await box.run(['busybox', 'yes'], limited(100_000))
    assert.equal([endless.stdout.length, endless.exited.reason, endless.exited.signal], [100_000, 'limit', 9])
  }),
)

native('the time limit ends a guest that does not end', () =>
  withBox(async (box) => {
    const { exited } = await box.shell('while :; do :; done', { supervision: [['time-limit', 150]] })
    assert.equal([exited.reason, exited.signal], ['timeout', 9])
    assert.ok(exited.duration_ns >= 150e6, `${exited.duration_ns}`)
    assert.is((await box.shell('exit 4', { supervision: [['time-limit', 60_000]] })).exited.code, 4)
  }),
)

native('kept descriptors arrive under their numbers, whatever the order, and nothing else does', () =>
  withBox(async (box) => {
    const descriptors = ['one', 'two'].map((name) => {
      writeFileSync(join(box.folder, name), name)
      return openSync(join(box.folder, name), 'r')
    })
    try {
      const process = box.launch(['sh', '-c', 'cat <&7; cat <&6; cat <&4'], {
        supervision: [
          ['keep-descriptor', 6, 7],
          ['keep-descriptor', 7, 6],
          ['keep-descriptor', 7, 4],
        ],
        launch: { descriptors },
      })
      const { receipt } = await process.ready
      assert.equal([...receipt.descriptors].sort(), [0, 1, 2, 4, 6, 7])
      await process.go()
      // 6 and 4 are one open file: the second to read it finds its end.
      assert.is(await text(process.stdout as Readable), 'onetwo')
    } finally {
      for (const descriptor of descriptors) closeSync(descriptor)
    }
  }),
)

native('the receipt is there before the program runs, and says what it will be', () =>
  withBox(async (box) => {
    const process = box.launch(['true'], { guest: [['oom-score-adjust', 321]] })
    const { created, receipt } = await process.ready
    assert.match(receipt.status, new RegExp(`^Pid:\\s+${created.guest}$`, 'm'))
    assert.match(receipt.status, /^Seccomp:\s+2$/m)
    assert.match(receipt.status, /^NoNewPrivs:\s+1$/m)
    assert.match(receipt.status, /^CapInh:\s+0+$/m)
    assert.match(receipt.status, /^CapBnd:\s+00000000a80425fb$/m)
    assert.equal(receipt.descriptors, [0, 1, 2])
    assert.equal(receipt.interfaces, { lo: true })
    assert.equal([receipt.hostname, receipt.session, receipt.umask, receipt.oom_score_adj], ['box', true, 0o022, 321])
    assert.equal([receipt.working_directory, receipt.terminal, receipt.dumpable], ['/', null, false])
    assert.equal(receipt.devices, ['full', 'null', 'pts', 'random', 'stdout', 'urandom', 'zero'])
    assert.is(receipt.root.bytes, 16 << 20)
    assert.not.match(receipt.mountinfo, new RegExp(box.folder))
    process.kill()
    assert.is((await process.exited).signal, 9)
  }),
)

// openat2(2) answers EAGAIN when anything is renamed anywhere while it resolves a "..".
native('a start does not fail because files are renamed elsewhere on the host', () =>
  withBox(async (box) => {
    const name = join(box.folder, 'renamed')
    writeFileSync(name, '')
    const renamer = new Worker(
      `const { renameSync } = require('node:fs')
       const { workerData: name } = require('node:worker_threads')
       for (;;) { renameSync(name, name + '.new'); renameSync(name + '.new', name) }`,
      { eval: true, workerData: name },
    )
    try {
      await once(renamer, 'online')
      const mounts = Array.from({ length: 1000 }, () => ['mask', '/tmp/../tmp/nothing'] as const)
      assert.is((await box.run(['true'], { mounts })).exited.code, 0)
    } finally {
      await renamer.terminate()
    }
  }),
)

test.run()
