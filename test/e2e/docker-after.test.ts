/** The other half of docker's command line cases: see docker.test.ts. */
import { dockerCases } from '../support/docker-case-suite.js'
import { DOCKER_CASES } from './docker-cases.js'

const test = dockerCases('e2e/docker, after the start', DOCKER_CASES.fromWaitToMistakes)

test.run()
