/** Docker's command line cases from `create` to `unpause`: see docker.test.ts. */
import { dockerCases } from '../support/docker-case-suite.js'
import { DOCKER_CASES } from './docker-cases.js'

const test = dockerCases('e2e/docker, life', DOCKER_CASES.fromCreateToUnpause)

test.run()
