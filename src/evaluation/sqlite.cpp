#include "evaluation/sqlite.h"

#include "base/error.h"

#include <cmath>

namespace steadyiqa::evaluation {
namespace {

constexpr int kBusyMilliseconds = 60'000;  // another process commits in far less

struct Finalise {
  void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
};
using Statement = std::unique_ptr<sqlite3_stmt, Finalise>;

int bind(sqlite3_stmt* statement, int place, const SqlValue& value) {
  if (const auto* integer = std::get_if<std::int64_t>(&value)) {
    return sqlite3_bind_int64(statement, place, *integer);
  }
  if (const auto* real = std::get_if<double>(&value)) {
    return sqlite3_bind_double(statement, place, *real);  // NaN becomes NULL
  }
  if (const auto* text = std::get_if<std::string>(&value)) {
    return sqlite3_bind_text64(statement, place, text->data(), text->size(), SQLITE_TRANSIENT, SQLITE_UTF8);
  }
  return sqlite3_bind_null(statement, place);
}

}  // namespace

int SqlRow::size() const { return sqlite3_column_count(statement_); }

SqlValue SqlRow::value(int column) const {
  switch (sqlite3_column_type(statement_, column)) {
    case SQLITE_INTEGER:
      return integer(column);
    case SQLITE_FLOAT:
      return sqlite3_column_double(statement_, column);
    case SQLITE_NULL:
      return nullptr;
    default:
      return text(column);
  }
}

std::int64_t SqlRow::integer(int column) const { return sqlite3_column_int64(statement_, column); }

double SqlRow::real(int column) const {
  return sqlite3_column_type(statement_, column) == SQLITE_NULL ? std::nan("")
                                                                : sqlite3_column_double(statement_, column);
}

std::string SqlRow::text(int column) const {
  const auto* bytes = reinterpret_cast<const char*>(sqlite3_column_text(statement_, column));
  return bytes == nullptr ? "" : std::string(bytes, static_cast<std::size_t>(sqlite3_column_bytes(statement_, column)));
}

Database::Database(const std::filesystem::path& path, Mode mode) : path_(path) {
  const int flags = mode == Mode::kReadOnly ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;
  sqlite3* handle = nullptr;
  const std::string name = path.empty() ? ":memory:" : path.string();
  const int status = sqlite3_open_v2(name.c_str(), &handle, flags, nullptr);
  handle_.reset(handle);
  if (status != SQLITE_OK) {
    fail_here("cannot be opened");
  }
  sqlite3_extended_result_codes(handle, 1);
  sqlite3_busy_timeout(handle, kBusyMilliseconds);
}

void Database::fail_here(std::string_view what) const {
  fail_input("{}: {}: {}", path_.empty() ? "results in memory" : path_.string(), what,
             handle_ == nullptr ? "out of memory" : sqlite3_errmsg(handle_.get()));
}

void Database::execute(const std::string& sql) {
  if (sqlite3_exec(handle_.get(), sql.c_str(), nullptr, nullptr, nullptr) != SQLITE_OK) {
    fail_here("SQLite");
  }
}

void Database::query(std::string_view sql, const std::vector<SqlValue>& parameters,
                     const std::function<void(const SqlRow&)>& visit) {
  sqlite3_stmt* raw = nullptr;
  if (sqlite3_prepare_v2(handle_.get(), sql.data(), static_cast<int>(sql.size()), &raw, nullptr) != SQLITE_OK) {
    fail_here("SQLite");
  }
  const Statement statement(raw);
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    if (bind(raw, static_cast<int>(i) + 1, parameters[i]) != SQLITE_OK) {
      fail_here("SQLite");
    }
  }
  const SqlRow row(raw);
  for (;;) {
    const int status = sqlite3_step(raw);
    if (status == SQLITE_DONE) {
      return;
    }
    if (status != SQLITE_ROW) {
      fail_here("SQLite");
    }
    if (visit) {
      visit(row);
    }
  }
}

SqlValue Database::first(std::string_view sql, const std::vector<SqlValue>& parameters) {
  SqlValue value = nullptr;
  bool seen = false;
  query(sql, parameters, [&](const SqlRow& row) {
    if (!seen) {
      value = row.value(0);
      seen = true;
    }
  });
  return value;
}

std::int64_t Database::last_row() const { return sqlite3_last_insert_rowid(handle_.get()); }

void Database::transaction(const std::function<void()>& work) {
  execute("BEGIN IMMEDIATE");
  try {
    work();
  } catch (...) {
    sqlite3_exec(handle_.get(), "ROLLBACK", nullptr, nullptr, nullptr);
    throw;
  }
  execute("COMMIT");
}

}  // namespace steadyiqa::evaluation
