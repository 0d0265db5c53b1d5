/** The other half of docker's command line cases: see docker.test.ts. */
import { runDockerCases } from '../support/docker-case-suite.js'
import { DOCKER_CASES } from './docker-cases.js'

runDockerCases('e2e/docker, after the start', DOCKER_CASES.fromWaitToMistakes)
