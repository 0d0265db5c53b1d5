import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import * as assert from 'uvu/assert'
import { CommandLine } from '../support/command-line.js'
import { BUSYBOX, NATIVE, WASM } from '../support/requirements.js'
import { suite } from '../support/suite.js'

const test = suite('e2e/resources')
const wolffia = new CommandLine()
const native = test.needs(NATIVE, BUSYBOX)

native(
  'what a container is to have of the host it has at each start, for exec too, and inspect says so in the words of docker',
  async () => {
    await wolffia.busybox()
    const flags = ['--ulimit', 'nofile=30:40', '--ulimit', 'stack=1048576:2097152', '--shm-size', '1m', '--oom-score-adj', '600']
    const script =
      'ulimit -Sn; ulimit -Hn; ulimit -Hs; cat /proc/self/oom_score_adj; df -k /dev/shm | tail -n 1 | tr -s " " | cut -d " " -f 2'
    await wolffia.output('run', '-d', '--name', 'bounded', ...flags, 'busybox', 'sleep', '1000')
    assert.is(await wolffia.output('exec', 'bounded', 'sh', '-c', script), '30\n40\n2048\n600\n1024\n')
    const [{ HostConfig }] = JSON.parse(await wolffia.output('inspect', 'bounded'))
    assert.equal([HostConfig.ShmSize, HostConfig.OomScoreAdj], [1 << 20, 600])
    assert.equal(HostConfig.Ulimits, [
      { Name: 'nofile', Soft: 30, Hard: 40 },
      { Name: 'stack', Soft: 1 << 20, Hard: 2 << 20 },
    ])
    const { code, stderr } = await wolffia.run(['update', '--pids-limit', '50', 'bounded'])
    assert.is(code, 1)
    assert.match(stderr, /--pids-limit of a running container cannot be changed/)
    await wolffia.output('rm', '-f', 'bounded')
  },
)

native('a container that does not run is held to other limits from its next start on', async () => {
  await wolffia.busybox()
  await wolffia.output(
    'create',
    '--name',
    'later',
    '--pids-limit',
    '70',
    'busybox',
    'sh',
    '-c',
    'sed -n "s/^Max processes *//p" /proc/self/limits',
  )
  assert.match(await wolffia.output('start', '-a', 'later'), /^70 /)
  assert.is(await wolffia.output('update', '--pids-limit', '80', 'later'), 'later\n')
  assert.match(await wolffia.output('start', '-a', 'later'), /^80 /)
  const { code, stderr } = await wolffia.run(['update', '--blkio-weight', '5', 'later'])
  assert.is(code, 1)
  assert.match(stderr, /range of blkio weight is from 10 to 1000/)
  await wolffia.output('rm', 'later')
})

native('what cannot be held here is refused before anything is made', async () => {
  await wolffia.busybox()
  for (const [flags, message] of [
    [['--ulimit', 'nofile=99999999'], /--ulimit nofile=99999999 is more than your own hard limit/],
    [['--oom-score-adj', '-1000'], /--oom-score-adj -1000 is less than your own/],
    [['--shm-size', '1m', '--ipc', 'none'], /--shm-size: conflicting options/],
    [['--memory-swap', '1g'], /--memory-swap: you should always set the memory limit/],
  ] as const) {
    const { code, stderr } = await wolffia.run(['run', '--rm', ...flags, 'busybox', 'true'])
    assert.is(code, 125, stderr)
    assert.match(stderr, message)
  }
})

test.needs(NATIVE, WASM)('how soon a module’s sandbox is ended is held, and what nobody may have is refused', async () => {
  await wolffia.output('import', resolve('dist/wasm/probe.wasm'), 'probe')
  await wolffia.output('run', '-d', '--name', 'module', '--oom-score-adj', '900', 'probe', 'sleep', '1000000000')
  const pid = await wolffia.output('inspect', '--format', '{{.State.Pid}}', 'module')
  assert.is(readFileSync(`/proc/${pid.trim()}/oom_score_adj`, 'latin1'), '900\n')
  await wolffia.output('rm', '-f', 'module')
  const { code, stderr } = await wolffia.run(['run', '--rm', '--oom-score-adj', '-1000', 'probe', 'exit', '0'])
  assert.is(code, 125)
  assert.match(stderr, /--oom-score-adj -1000 is less than your own/)
})

test.run()
