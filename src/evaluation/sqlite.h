// SQLite with errors as exceptions: the few calls that the result store makes.
#pragma once

#include <sqlite3.h>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace steadyiqa::evaluation {

/// What a column may hold. NaN is written as NULL (as SQLite has it) and read back as NaN by `real`.
using SqlValue = std::variant<std::nullptr_t, std::int64_t, double, std::string>;

/// A row of a query.
class SqlRow {
 public:
  explicit SqlRow(sqlite3_stmt* statement) : statement_(statement) {}
  [[nodiscard]] int size() const;
  [[nodiscard]] SqlValue value(int column) const;
  [[nodiscard]] std::int64_t integer(int column) const;
  [[nodiscard]] double real(int column) const;  ///< NaN for NULL
  [[nodiscard]] std::string text(int column) const;

 private:
  sqlite3_stmt* statement_;
};

/// One connection, for one thread. Everything throws Error(kInput) with the file and SQLite's message.
class Database {
 public:
  enum class Mode { kReadOnly, kReadWrite };
  /// "" opens an empty one in memory.
  Database(const std::filesystem::path& path, Mode mode);

  /// Statements without result, separated by semicolons.
  void execute(const std::string& sql);
  /// One statement with its ?1, ?2, ... in order; `visit` sees each row.
  void query(std::string_view sql, const std::vector<SqlValue>& parameters,
             const std::function<void(const SqlRow&)>& visit = {});
  /// The first column of the first row, NULL where there is none.
  [[nodiscard]] SqlValue first(std::string_view sql, const std::vector<SqlValue>& parameters = {});
  /// Of the last row that was inserted.
  [[nodiscard]] std::int64_t last_row() const;
  /// All or nothing: rolls back when `work` throws.
  void transaction(const std::function<void()>& work);
  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

 private:
  struct Close {
    void operator()(sqlite3* handle) const { sqlite3_close_v2(handle); }
  };
  std::filesystem::path path_;
  std::unique_ptr<sqlite3, Close> handle_;

  [[noreturn]] void fail_here(std::string_view what) const;
};

}  // namespace steadyiqa::evaluation
