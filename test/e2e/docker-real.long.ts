/**
 * Docker's command line cases with a real docker: that what stands in docker-cases.ts is what docker gives.
 *
 * It is asked where `DOCKER` names a client whose daemon answers: `DOCKER='docker -H unix:///tmp/d.sock' npm run test:long -- docker-real`.
 * The daemon must be one for tests: its stopped containers are pruned.
 */
import { join } from 'node:path'
import * as assert from 'uvu/assert'
import { CommandLine } from '../support/command-line.js'
import { BUSYBOX, NATIVE } from '../support/requirements.js'
import { type Requirement, suite } from '../support/suite.js'
import { assertGiven, CASE_SECONDS, typeCase, typeLines } from '../support/typed-case.js'
import { DOCKER_CASES, type DockerCase } from './docker-cases.js'

const test = suite('e2e/docker, a real one')
const wolffia = new CommandLine()
const docker = { words: process.env.DOCKER ?? '', env: process.env }
const count = { same: 0, different: 0, notAsked: 0 }

const REAL_DOCKER: Requirement = {
  name: 'docker',
  missing: async () => {
    if (docker.words === '') return 'no DOCKER names a client whose daemon answers'
    const { code, stderr } = await typeLines(docker, '$docker version', '.')
    return code === 0 ? null : `${docker.words} does not answer: ${stderr.split('\n')[0]}`
  },
}

const asked = test.needs(REAL_DOCKER, BUSYBOX, NATIVE)

asked('the image is imported', async () => {
  await wolffia.busybox()
  const { code, stderr } = await typeLines(docker, `$docker import -c 'CMD ["/bin/sh"]' root.tar box`, wolffia.folder)
  assert.is(code, 0, stderr)
})

const CASES = Object.values(DOCKER_CASES).flat()

for (const one of CASES) {
  const real: DockerCase['docker'] = one.docker
  if (real !== undefined && 'notAsked' in real) {
    count.notAsked++
    continue
  }
  asked(
    one.title,
    async () => {
      assertGiven(await typeCase(docker, one), real === undefined ? one : { ...one, ...real })
      count[real === undefined ? 'same' : 'different']++
    },
    { timeoutMs: (CASE_SECONDS + 30) * 1000 },
  )
}

asked('the image is removed', async () => {
  assert.is((await typeLines(docker, '$docker rmi box', join(wolffia.folder))).code, 0)
  const { same, different, notAsked } = count
  console.log(`\n${CASES.length} cases: ${same} as docker, ${different} other by design, ${notAsked} not asked`)
})

test('nothing is left', () => wolffia.end())

test.run()
