import * as assert from 'uvu/assert'
import { parentOf } from '../../bench/process-memory.js'
import { groupLimits } from '../../src/runtime/control-groups.js'
import { CommandLine } from '../support/command-line.js'
import { eventually } from '../support/launcher-box.js'
import { BUSYBOX, CGROUP, NATIVE } from '../support/requirements.js'
import { suite } from '../support/suite.js'

const test = suite('e2e/limits')
const wolffia = new CommandLine()
const limited = test.needs(NATIVE, BUSYBOX, CGROUP)
const MIB = 2 ** 20

limited('what a container may take of memory and processors is held, shown by stats and changed by update', async () => {
  await wolffia.busybox()
  await wolffia.output(
    'run',
    '-d',
    '--name',
    'bounded',
    '--memory',
    '64m',
    '--cpus',
    '0.5',
    '--pids-limit',
    '20',
    'busybox',
    'sleep',
    '1000',
  )
  const [{ State, HostConfig }] = JSON.parse(await wolffia.output('inspect', 'bounded'))
  assert.equal([HostConfig.Memory, HostConfig.NanoCpus, HostConfig.PidsLimit], [64 * MIB, 5e8, 20])
  assert.equal(groupLimits(State.Pid), { memoryBytes: 64 * MIB, cpus: 0.5 })
  assert.match(await wolffia.output('stats', '--no-stream', '--format', '{{.MemUsage}}', 'bounded'), / \/ 64MiB\n$/)
  const processes = await wolffia.output('exec', 'bounded', 'sh', '-c', 'sed -n "s/^Max processes *//p" /proc/self/limits')
  assert.match(processes, /^20 /)
  assert.is(await wolffia.output('update', '--memory', '96m', '--memory-swap', '192m', '--cpus', '0.25', 'bounded'), 'bounded\n')
  assert.equal(groupLimits(State.Pid), { memoryBytes: 96 * MIB, cpus: 0.25 })
  await wolffia.output('rm', '-f', 'bounded')
})

limited('a program that is out of memory ends with 137, and is said to have been', async () => {
  await wolffia.busybox()
  const words = ['busybox', 'dd', 'if=/dev/zero', 'of=/dev/null', 'bs=256M', 'count=1']
  const { code, stderr } = await wolffia.run(['run', '--name', 'hungry', '--memory', '32m', ...words])
  assert.is(code, 137, stderr)
  assert.is(await wolffia.output('inspect', '--format', '{{.State.OOMKilled}} {{.State.ExitCode}}', 'hungry'), 'true 137\n')
  await wolffia.output('rm', 'hungry')
})

limited('a paused container stays paused while others start, and is gone at a look when its launcher was killed', async () => {
  await wolffia.busybox()
  const status = () => wolffia.output('inspect', '--format', '{{.State.Status}}', 'paused')
  await wolffia.output('run', '-d', '--name', 'paused', '--memory', '64m', 'busybox', 'sh', '-c', 'while :; do date; sleep 0.05; done')
  await wolffia.output('pause', 'paused')
  const before = await wolffia.output('logs', 'paused')
  await wolffia.output('run', '--rm', '--memory', '64m', 'busybox', 'sleep', '0.2')
  assert.equal([await status(), await wolffia.output('logs', 'paused')], ['paused\n', before])
  const guest = Number(await wolffia.output('inspect', '--format', '{{.State.Pid}}', 'paused'))
  const launcher = parentOf(parentOf(guest))
  assert.ok(launcher, 'its launcher runs')
  process.kill(launcher, 'SIGKILL')
  await eventually('its end', async () => (await status()) === 'exited\n')
  await wolffia.output('rm', 'paused')
})

test('nothing of these commands is left', () => wolffia.end())

test.run()
