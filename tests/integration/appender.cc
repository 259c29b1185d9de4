// Appends numbers by the library, from a first one on, and notes each that flush() acknowledged,
// until it is killed: kill_test looks for them afterwards.
#include <cstdlib>
#include <fstream>

#include "dunlin/database.h"

int main(int argc, char** argv) {
  using namespace dunlin;
  if (argc != 4) return 2;
  DatabaseOptions options;
  options.name = "appender";
  options.data_dir = argv[1];
  const auto database = Database::open(options);
  if (!database.ok()) return 1;
  std::ofstream acknowledged(argv[2], std::ios::app);
  const StreamSchema schema{"numbers", {{"n", FieldType::int64, "", 0}}};
  for (std::int64_t n = std::atoll(argv[3]);; ++n) {
    Rows rows(1);
    rows.begin_row(n);
    rows.add_integer(n);
    if (!(*database)->append(schema, std::move(rows)).ok()) return 1;
    if (!(*database)->flush(std::chrono::seconds(10)).ok()) return 1;
    acknowledged << n << std::endl;
  }
}
