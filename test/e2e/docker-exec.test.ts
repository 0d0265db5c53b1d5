/** Docker's command line cases from `exec` to `logs`: see docker.test.ts. */
import { dockerCases } from '../support/docker-case-suite.js'
import { DOCKER_CASES } from './docker-cases.js'

const test = dockerCases('e2e/docker, exec', DOCKER_CASES.fromExecToLogs)

test.run()
