/** What /proc and /sys tell of the host's hardware and of what others do on it is not there for a guest. */
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as assert from 'uvu/assert'
import { MASKED_PATHS, thermalPaths } from '../../src/native/masks.js'
import { CommandLine } from '../support/command-line.js'
import { BUSYBOX, NATIVE } from '../support/requirements.js'
import { suite } from '../support/suite.js'

const test = suite('native/masks.security')
const wolffia = new CommandLine()

test.needs(NATIVE, BUSYBOX)('a masked file is empty and a masked folder lists nothing, whatever the host has there', async () => {
  await wolffia.busybox()
  const there = MASKED_PATHS.filter((path) => existsSync(path))
  assert.ok(there.includes('/proc/interrupts') && readdirSync('/sys/dev/block').length > 0, 'there is something to hide')
  const look = 'for path; do if [ -d "$path" ]; then busybox ls -A "$path"; else busybox cat "$path" 2>/dev/null; fi; done'
  assert.is(await wolffia.output('run', '--rm', 'busybox', 'sh', '-c', look, 'sh', ...there), '')
})

test('each processor that counts how often it was too hot has that hidden', () => {
  const folder = mkdtempSync(join(tmpdir(), 'wolffia-processors-'))
  try {
    for (const name of ['cpu0/thermal_throttle', 'cpu1/cache', 'cpu12/thermal_throttle', 'cpufreq/thermal_throttle'])
      mkdirSync(join(folder, name), { recursive: true })
    assert.equal([...thermalPaths(folder)].sort(), [
      '/sys/devices/system/cpu/cpu0/thermal_throttle',
      '/sys/devices/system/cpu/cpu12/thermal_throttle',
    ])
    assert.equal(thermalPaths(join(folder, 'nowhere')), [])
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
})

test('nothing of this command is left', () => wolffia.end())

test.run()
