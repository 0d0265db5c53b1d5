/** Docker's command line cases from `wait` to `container prune`: see docker.test.ts. */
import { dockerCases } from '../support/docker-case-suite.js'
import { DOCKER_CASES } from './docker-cases.js'

const test = dockerCases('e2e/docker, after the end', DOCKER_CASES.fromWaitToPrune)

test.run()
