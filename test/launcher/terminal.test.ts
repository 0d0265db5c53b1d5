import type { Readable } from 'node:stream'
import * as assert from 'uvu/assert'
import { eventually, idMaps, withBox } from '../support/launcher-box.js'
import { BUSYBOX, NATIVE } from '../support/requirements.js'
import { suite } from '../support/suite.js'

const test = suite('launcher/terminal')
const native = test.needs(NATIVE, BUSYBOX)

/** What a stream has given so far; `all` waits for its end, which need not be read when the exit is told. */
function collect(stream: Readable | null): (() => string) & { readonly all: Promise<string> } {
  let seen = ''
  stream?.on('data', (chunk) => {
    seen += chunk
  })
  const all = new Promise<string>((resolve) => stream?.once('close', () => resolve(seen)))
  return Object.assign(() => seen, { all })
}

for (const idMap of idMaps())
  native(`the guest has a terminal of the container's own, and controls it, under a ${idMap.kind} id map`, () =>
    withBox(async (box) => {
      const process = box.launch(
        ['sh', '-c', 'busybox tty; busybox stty size; echo x > /dev/tty; echo y > /dev/console; busybox ls /dev/pts'],
        {
          idMap,
          terminal: true,
          supervision: [['terminal-size', 31, 97]],
        },
      )
      const output = collect(process.stdout)
      const { receipt } = await process.ready
      assert.equal(receipt.terminal, { rows: 31, columns: 97 })
      assert.equal(receipt.descriptors, [0, 1, 2])
      await process.go()
      assert.is((await process.exited).code, 0)
      assert.is(await output.all, '/dev/pts/0\r\n31 97\r\nx\r\ny\r\n0     ptmx\r\n')
    }),
  )

native('a new size reaches the guest with SIGWINCH', () =>
  withBox(async (box) => {
    const process = box.launch(['sh', '-c', 'trap "busybox stty size; exit 5" WINCH; echo ready; while :; do sleep 0.05; done'], {
      terminal: true,
    })
    const output = collect(process.stdout)
    await process.ready
    await process.go()
    await eventually('ready', () => output().includes('ready'))
    process.resize({ rows: 50, columns: 132 })
    assert.is((await process.exited).code, 5)
    assert.match(await output.all, /50 132/)
  }),
)

native('input is typed, echoed and read; its end is the end-of-file character', () =>
  withBox(async (box) => {
    const process = box.launch(['sh', '-c', 'read word; echo "got $word"; cat; echo end'], { terminal: true, stdin: 'open' })
    const output = collect(process.stdout)
    await process.ready
    await process.go()
    process.stdin?.write('hello\n')
    await eventually('the answer', () => output().includes('got hello'))
    process.stdin?.end()
    assert.is((await process.exited).code, 0)
    assert.is(await output.all, 'hello\r\ngot hello\r\nend\r\n')
  }),
)

native('Ctrl-C reaches the foreground process', () =>
  withBox(async (box) => {
    const process = box.launch(['sh', '-c', 'echo ready; exec sleep 1000'], { terminal: true, stdin: 'open' })
    const output = collect(process.stdout)
    await process.ready
    await process.go()
    await eventually('ready', () => output().includes('ready'))
    process.stdin?.write('\x03')
    assert.is((await process.exited).signal, 2)
  }),
)

native('all output of a terminal comes before the exit', () =>
  withBox(async (box) => {
    const process = box.launch(['sh', '-c', 'busybox seq 1 20000'], { terminal: true })
    const output = collect(process.stdout)
    await process.ready
    await process.go()
    await process.exited
    assert.is((await output.all).split('\r\n').length, 20001)
  }),
)

test.run()
