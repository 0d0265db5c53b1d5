import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import * as assert from 'uvu/assert'
import { qemu } from '../../bench/modes/qemu.js'
import { Workbench } from '../../bench/workbench.js'
import { MACHINE } from '../support/linux-machine.js'
import { BUSYBOX, CC } from '../support/requirements.js'
import { suite } from '../support/suite.js'

const test = suite('machine/bench-mode')

test.needs(MACHINE, CC, BUSYBOX)(
  'the virtual machine of the benchmark runs a program, another beside it, and is gone when it is removed',
  async () => {
    await using workbench = await Workbench.open({ quick: true })
    const { driver, command, containers } = await qemu.place(workbench)
    const keep = join(workbench.directory, 'heard')
    const talk = async ([program, ...words]: Awaited<ReturnType<typeof command>>) => {
      const { exitCode, output } = await driver.talk(program, words, { keep })
      return [exitCode, output]
    }
    assert.equal(await talk(await command(['/bin/sh', '-c', 'echo "a  b"; cat /nowhere || exit 0'])), [0, 'a  b\n'])
    assert.is((await talk(await command(['sh', '-c', 'exit 7'])))[0], 7)
    if (typeof containers === 'string') throw new Error(containers)
    assert.is((await talk(await containers.start('kept', ['/bin/sleep', '1000'])))[0], 0)
    try {
      assert.equal(await talk(await containers.exec('kept', ['/bin/sh', '-c', 'echo one; printf two; exit 5'])), [5, 'one\ntwo'])
      assert.equal(await talk(await containers.exec('kept', ['/bin/sh', '-c', 'echo $$ >/tmp/kept'])), [0, ''])
      assert.is((await talk(await containers.exec('kept', ['/bin/cat', '/tmp/kept'])))[0], 0)
    } finally {
      assert.is((await talk(containers.remove('kept')))[0], 0)
    }
    assert.equal(
      readdirSync(join(workbench.directory, 'qemu')).filter((name) => name.startsWith('kept')),
      [],
    )
  },
  { timeoutMs: 400_000 },
)

test.run()
