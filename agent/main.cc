#include "agent/agent.h"

int main(int argc, char** argv) {
  return dunlin::runtime::run_program(dunlin::agent::program(), argc, argv);
}
