#include "store/store.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <map>
#include <random>
#include <thread>

#include "format/gguf.h"
#include "format/gguf_writer.h"

namespace ingle {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

std::string read_file(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

// Every file below a folder with its bytes: what "as it was" means.
std::map<std::string, std::string> snapshot(const fs::path& root) {
  std::map<std::string, std::string> files;
  if (!fs::exists(root)) return files;
  for (const auto& entry : fs::recursive_directory_iterator(root)) {
    files[entry.path().lexically_relative(root)] = entry.is_regular_file() ? read_file(entry.path()) : "folder";
  }
  return files;
}

class StoreTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = (fs::temp_directory_path() / "ingle-store-XXXXXX").string();
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    folder_ = name;
  }
  void TearDown() override { fs::remove_all(folder_); }

  fs::path write_model(const fs::path& path, float value, size_t floats = 32,
                       std::optional<std::pair<uint16_t, uint16_t>> split = std::nullopt) {
    const std::vector<float> data(floats, value);
    GgufWriter writer;
    EXPECT_TRUE(writer.set("general.architecture", std::string_view("llama")).ok());
    EXPECT_TRUE(writer.set("general.name", std::string_view("Test")).ok());
    if (split) {
      EXPECT_TRUE(writer.set("split.no", split->first).ok());
      EXPECT_TRUE(writer.set("split.count", split->second).ok());
      EXPECT_TRUE(writer.set("split.tensors.count", int32_t{split->second}).ok());
    }
    const std::string tensor = "t" + std::to_string(split ? split->first : 0);
    EXPECT_TRUE(writer
                    .add_tensor(tensor, DType::kF32, {floats},
                                {reinterpret_cast<const uint8_t*>(data.data()), floats * sizeof(float)})
                    .ok());
    const Status status = writer.write(path);
    EXPECT_TRUE(status.ok()) << (status.ok() ? "" : status.error().message);
    return path;
  }

  static ModelRef ref(std::string_view text) { return *ModelRef::parse(text); }
  static size_t files_in(const fs::path& folder) {
    return fs::exists(folder) ? static_cast<size_t>(std::distance(fs::directory_iterator(folder), {})) : 0;
  }

  fs::path folder_;
  fs::path root() const { return folder_ / "home"; }
};

TEST_F(StoreTest, AnEmptyStoreIsReadWithoutBeingMade) {
  Store store(root());
  EXPECT_TRUE(store.list().ok());
  EXPECT_TRUE(store.list()->empty());
  const auto found = store.find(ref("smollm2"));
  ASSERT_FALSE(found.ok());
  EXPECT_EQ(found.error().code, ErrorCode::kNotFound);
  EXPECT_THAT(found.error().to_string(), HasSubstr("the store is empty"));
  EXPECT_FALSE(store.remove(ref("smollm2")).ok());
  EXPECT_FALSE(fs::exists(root()));
}

TEST_F(StoreTest, ImportsListsResolvesAndRemoves) {
  Store store(root());
  const fs::path file = write_model(folder_ / "Tiny-Model.gguf", 1.0f);
  const auto imported = store.import(file, std::nullopt, false, nullptr);
  ASSERT_TRUE(imported.ok()) << imported.error().message;
  EXPECT_EQ(imported->model.ref, ref("tiny-model"));
  EXPECT_FALSE(imported->was_there);
  EXPECT_NE(imported->placement, Placement::kCopied);
  EXPECT_EQ(files_in(root() / "tmp"), 0u);

  const auto models = store.list();
  ASSERT_TRUE(models.ok());
  ASSERT_EQ(models->size(), 1u);
  EXPECT_EQ((*models)[0].architecture, "llama");
  EXPECT_EQ((*models)[0].parameters, 32u);
  EXPECT_EQ((*models)[0].size_bytes(), fs::file_size(file));
  EXPECT_THAT(store.find(ref("other")).error().to_string(), HasSubstr("there are: tiny-model"));

  const auto path = store.resolve(ref("Tiny-Model"), nullptr);
  ASSERT_TRUE(path.ok());
  EXPECT_EQ(read_file(*path), read_file(file));
  EXPECT_EQ(path->filename(), "sha256-" + (*models)[0].parts[0].sha256);

  const auto freed = store.remove(ref("tiny-model"));
  ASSERT_TRUE(freed.ok());
  EXPECT_EQ(*freed, fs::file_size(file));
  EXPECT_TRUE(store.list()->empty());
  EXPECT_EQ(files_in(root() / "blobs"), 0u);
  EXPECT_EQ(files_in(root() / "manifests"), 0u);
  EXPECT_TRUE(fs::exists(file));
}

TEST_F(StoreTest, ACopySurvivesTheFile) {
  Store store(root());
  const fs::path file = write_model(folder_ / "m.gguf", 1.0f, 1 << 20);
  const std::string bytes = read_file(file);
  uint64_t last = 0;
  const auto imported = store.import(file, ref("m"), true, [&](std::string_view, uint64_t done, uint64_t total) {
    EXPECT_LE(done, total);
    last = done;
  });
  ASSERT_TRUE(imported.ok());
  EXPECT_EQ(last, bytes.size());
  std::ofstream(file, std::ios::binary) << "gone";
  const auto path = store.resolve(ref("m"), nullptr);
  ASSERT_TRUE(path.ok());
  EXPECT_EQ(read_file(*path), bytes);
}

TEST_F(StoreTest, OneBlobForTwoNames) {
  Store store(root());
  const fs::path file = write_model(folder_ / "m.gguf", 1.0f);
  ASSERT_TRUE(store.import(file, ref("a"), true, nullptr).ok());
  ASSERT_TRUE(store.import(file, ref("b:2"), true, nullptr).ok());
  EXPECT_EQ(files_in(root() / "blobs"), 1u);
  EXPECT_EQ(*store.remove(ref("a")), 0u);
  EXPECT_TRUE(store.resolve(ref("b:2"), nullptr).ok());
  EXPECT_EQ(*store.remove(ref("b:2")), fs::file_size(file));
  EXPECT_EQ(files_in(root() / "blobs"), 0u);
}

TEST_F(StoreTest, ACopyIsAnotherNameForTheSameBlobs) {
  Store store(root());
  const fs::path file = write_model(folder_ / "m.gguf", 1.0f);
  ASSERT_TRUE(store.import(file, ref("a"), true, nullptr).ok());
  ASSERT_TRUE(store.import(write_model(folder_ / "n.gguf", 2.0f), ref("other"), true, nullptr).ok());
  ASSERT_TRUE(store.copy(ref("a"), ref("b:2")).ok());
  ASSERT_TRUE(store.copy(ref("a"), ref("b:2")).ok());
  ASSERT_TRUE(store.copy(ref("a"), ref("a")).ok());
  EXPECT_EQ(store.find(ref("b:2"))->parts[0].sha256, store.find(ref("a"))->parts[0].sha256);
  EXPECT_EQ(files_in(root() / "blobs"), 2u);
  EXPECT_EQ(*store.remove(ref("a")), 0u);
  EXPECT_TRUE(store.resolve(ref("b:2"), nullptr).ok());
  const auto before = snapshot(root());
  EXPECT_EQ(store.copy(ref("b:2"), ref("other")).error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(store.copy(ref("nobody"), ref("c")).error().code, ErrorCode::kNotFound);
  EXPECT_EQ(snapshot(root()), before);
}

TEST_F(StoreTest, ImportingAgainChangesNothing) {
  Store store(root());
  const fs::path file = write_model(folder_ / "m.gguf", 1.0f);
  ASSERT_TRUE(store.import(file, ref("m"), false, nullptr).ok());
  for (const bool copy : {false, true}) {
    const auto again = store.import(file, ref("m"), copy, nullptr);
    ASSERT_TRUE(again.ok());
    EXPECT_TRUE(again->was_there);
  }
  EXPECT_EQ(files_in(root() / "blobs"), 1u);
  EXPECT_TRUE(store.resolve(ref("m"), nullptr).ok());
}

TEST_F(StoreTest, ANameIsNotTakenFromAnotherModel) {
  Store store(root());
  ASSERT_TRUE(store.import(write_model(folder_ / "a.gguf", 1.0f), ref("m"), true, nullptr).ok());
  const auto before = snapshot(root());
  const auto other = store.import(write_model(folder_ / "b.gguf", 2.0f), ref("m"), true, nullptr);
  ASSERT_FALSE(other.ok());
  EXPECT_THAT(other.error().to_string(), HasSubstr("ingle rm m"));
  EXPECT_EQ(snapshot(root()), before);
}

TEST_F(StoreTest, BadFilesLeaveTheStoreAsItWas) {
  Store store(root());
  const fs::path good = write_model(folder_ / "good.gguf", 1.0f, 1000);
  EXPECT_FALSE(store.import(folder_ / "absent.gguf", ref("m"), false, nullptr).ok());
  EXPECT_FALSE(fs::exists(root())) << "a failed first import makes no store";
  ASSERT_TRUE(store.import(good, ref("good"), true, nullptr).ok());
  const auto before = snapshot(root());
  std::ofstream(folder_ / "cut.gguf", std::ios::binary) << read_file(good).substr(0, 2000);
  std::ofstream(folder_ / "empty.gguf");
  std::ofstream(folder_ / "text.gguf") << "this is not a model, however long it may be";
  for (const char* name : {"cut.gguf", "empty.gguf", "text.gguf", "absent.gguf", "."}) {
    EXPECT_FALSE(store.import(folder_ / name, ref("m"), false, nullptr).ok()) << name;
    EXPECT_EQ(snapshot(root()), before) << name;
  }
}

TEST_F(StoreTest, AChangedHardLinkIsNoticed) {
  Store store(root());
  const fs::path file = write_model(folder_ / "m.gguf", 1.0f, 1000);
  const std::string bytes = read_file(file);
  const auto imported = store.import(file, ref("m"), false, nullptr);
  ASSERT_TRUE(imported.ok());
  if (imported->placement != Placement::kLinked) GTEST_SKIP() << "this file system clones";

  // Touched, but the same bytes: fine, and remembered.
  fs::last_write_time(file, fs::last_write_time(file) + std::chrono::hours(1));
  bool checked = false;
  const StoreProgress progress = [&](std::string_view, uint64_t, uint64_t) { checked = true; };
  EXPECT_TRUE(store.resolve(ref("m"), progress).ok());
  EXPECT_TRUE(checked);
  checked = false;
  EXPECT_TRUE(store.resolve(ref("m"), progress).ok());
  EXPECT_FALSE(checked);

  // One byte changed in place.
  {
    std::fstream out(file, std::ios::binary | std::ios::in | std::ios::out);
    out.seekp(-1, std::ios::end);
    out.put('x');
  }
  fs::last_write_time(file, fs::last_write_time(file) + std::chrono::hours(2));
  const auto changed = store.resolve(ref("m"), nullptr);
  ASSERT_FALSE(changed.ok());
  EXPECT_EQ(changed.error().code, ErrorCode::kInvalidData);
  EXPECT_THAT(changed.error().to_string(), HasSubstr("ingle rm m"));

  // Importing sound bytes heals it.
  std::ofstream(folder_ / "sound.gguf", std::ios::binary) << bytes;
  ASSERT_TRUE(store.import(folder_ / "sound.gguf", ref("m"), false, nullptr).ok());
  const auto healed = store.resolve(ref("m"), nullptr);
  ASSERT_TRUE(healed.ok());
  EXPECT_EQ(read_file(*healed), bytes);

  // Cut short.
  fs::resize_file(folder_ / "sound.gguf", 100);
  EXPECT_FALSE(store.resolve(ref("m"), nullptr).ok());
}

TEST_F(StoreTest, SymbolicLinksAreFollowed) {
  Store store(root());
  const fs::path file = write_model(folder_ / "blob-1234", 1.0f);
  fs::create_symlink("blob-1234", folder_ / "nice.gguf");
  const auto imported = store.import(folder_ / "nice.gguf", std::nullopt, false, nullptr);
  ASSERT_TRUE(imported.ok());
  EXPECT_EQ(imported->model.ref, ref("nice"));
  const auto path = store.resolve(ref("nice"), nullptr);
  ASSERT_TRUE(path.ok());
  EXPECT_FALSE(fs::is_symlink(*path));
  fs::remove(folder_ / "nice.gguf");
  fs::remove(file);
  EXPECT_TRUE(GgufFile::open(*path).ok());
}

TEST_F(StoreTest, SplitModels) {
  Store store(root());
  for (uint16_t i = 0; i < 3; i++) {
    write_model(folder_ / ("big-0000" + std::to_string(i + 1) + "-of-00003.gguf"), static_cast<float>(i), 32,
                std::pair{i, uint16_t{3}});
  }
  const auto imported = store.import(folder_ / "big-00001-of-00003.gguf", std::nullopt, false, nullptr);
  ASSERT_TRUE(imported.ok()) << imported.error().message;
  EXPECT_EQ(imported->model.ref, ref("big"));
  EXPECT_EQ(imported->model.parts.size(), 3u);
  EXPECT_EQ(imported->model.parameters, 96u);
  const auto path = store.resolve(ref("big"), nullptr);
  ASSERT_TRUE(path.ok());
  const auto file = GgufFile::open(*path);
  ASSERT_TRUE(file.ok()) << file.error().message;
  EXPECT_EQ(file->tensors().size(), 3u);

  ASSERT_TRUE(store.copy(ref("big"), ref("twin")).ok());
  EXPECT_TRUE(GgufFile::open(*store.resolve(ref("twin"), nullptr)).ok());
  ASSERT_TRUE(store.remove(ref("twin")).ok());

  fs::remove(folder_ / "big-00002-of-00003.gguf");
  const auto before = snapshot(root());
  EXPECT_FALSE(store.import(folder_ / "big-00001-of-00003.gguf", ref("again"), false, nullptr).ok());
  EXPECT_EQ(snapshot(root()), before);

  ASSERT_TRUE(store.remove(ref("big")).ok());
  EXPECT_EQ(files_in(root() / "blobs"), 0u);
  EXPECT_EQ(files_in(root() / "splits"), 0u);
}

TEST_F(StoreTest, WhatAKilledImportLeftIsSwept) {
  Store store(root());
  ASSERT_TRUE(store.import(write_model(folder_ / "a.gguf", 1.0f), ref("a"), true, nullptr).ok());
  const fs::path file = write_model(folder_ / "b.gguf", 2.0f, 1 << 22);
  const auto before = snapshot(root());
  const pid_t child = ::fork();
  if (child == 0) {
    Store other(root());
    (void)other.import(file, ref("b"), true, [](std::string_view what, uint64_t, uint64_t) {
      if (what == "checking") ::kill(::getpid(), SIGKILL);
    });
    ::_exit(0);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFSIGNALED(status));
  EXPECT_EQ(files_in(root() / "tmp"), 1u);
  EXPECT_TRUE(store.list().ok());
  EXPECT_EQ(snapshot(root()), before);
}

TEST_F(StoreTest, WhatAKilledWriteLeftIsSwept) {
  Store store(root());
  ASSERT_TRUE(store.import(write_model(folder_ / "a.gguf", 1.0f), ref("a"), true, nullptr).ok());
  ASSERT_TRUE(store.import(write_model(folder_ / "b.gguf", 2.0f), ref("b"), true, nullptr).ok());
  const fs::path left = root() / "manifests/a/latest.json.tmp-123-0";
  std::ofstream(left) << "{";
  EXPECT_EQ(store.list()->size(), 2u);
  ASSERT_TRUE(store.remove(ref("b")).ok());
  EXPECT_FALSE(fs::exists(left));
  EXPECT_TRUE(store.resolve(ref("a"), nullptr).ok());
}

TEST_F(StoreTest, ARunningImportIsNotSwept) {
  Store store(root());
  const fs::path file = write_model(folder_ / "a.gguf", 1.0f, 1 << 22);
  bool looked = false;
  const auto imported = store.import(file, ref("a"), true, [&](std::string_view, uint64_t, uint64_t) {
    if (std::exchange(looked, true)) return;
    EXPECT_TRUE(Store(root()).list().ok());
    EXPECT_EQ(files_in(root() / "tmp"), 1u);
  });
  EXPECT_TRUE(looked);
  ASSERT_TRUE(imported.ok()) << imported.error().message;
  EXPECT_TRUE(store.resolve(ref("a"), nullptr).ok());
}

TEST_F(StoreTest, ManyAtOnce) {
  std::vector<fs::path> files;
  for (int i = 0; i < 4; i++) {
    files.push_back(write_model(folder_ / (std::to_string(i) + ".gguf"), static_cast<float>(i), 5000));
  }
  std::vector<std::thread> threads;
  for (unsigned t = 0; t < 8; t++) {
    threads.emplace_back([&, t] {
      std::mt19937 random(t);
      Store store(root());
      for (int step = 0; step < 30; step++) {
        // Two names per file: a name never stands for two models, so that every import must succeed.
        const unsigned i = random() % 4;
        const ModelRef name = ref("m" + std::to_string(i) + ":" + std::to_string(random() % 2));
        const unsigned what = random() % 4;
        if (what <= 1) {
          const auto imported = store.import(files[i], name, what == 0, nullptr);
          EXPECT_TRUE(imported.ok()) << imported.error().message;
        } else if (what == 2) {
          const auto removed = store.remove(name);
          EXPECT_TRUE(removed.ok() || removed.error().code == ErrorCode::kNotFound) << removed.error().message;
        } else {
          EXPECT_TRUE(store.list().ok());
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  Store store(root());
  const auto models = store.list();
  ASSERT_TRUE(models.ok());
  for (const StoredModel& model : *models) EXPECT_TRUE(store.resolve(model.ref, nullptr).ok());
  for (const StoredModel& model : *models) EXPECT_TRUE(store.remove(model.ref).ok());
  EXPECT_EQ(files_in(root() / "blobs"), 0u);
  EXPECT_EQ(files_in(root() / "tmp"), 0u);
}

TEST_F(StoreTest, ABrokenManifestIsNamedAndCanBeRemoved) {
  Store store(root());
  ASSERT_TRUE(store.import(write_model(folder_ / "a.gguf", 1.0f), ref("a"), true, nullptr).ok());
  ASSERT_TRUE(store.import(write_model(folder_ / "b.gguf", 2.0f), ref("b"), true, nullptr).ok());
  const std::string good = read_file(root() / "manifests/a/latest.json");
  for (std::string text :
       {std::string(), std::string("{}"), std::string("[1"), good.substr(0, good.size() / 2), std::string(100000, '['),
        std::string(R"({"version":1,"architecture":"x","quantization":"x","parameters":1,"imported_s":1,"parts":)") +
            R"([{"sha256":"../../../../etc/passwd","size_bytes":1,"mtime_ns":1}]})",
        std::string(R"({"version":99})")}) {
    std::ofstream(root() / "manifests/a/latest.json") << text;
    const auto models = store.list();
    ASSERT_FALSE(models.ok()) << text;
    EXPECT_THAT(models.error().to_string(), HasSubstr("ingle rm a"));
    EXPECT_TRUE(store.resolve(ref("b"), nullptr).ok());
    const auto freed = store.remove(ref("none"));
    EXPECT_FALSE(freed.ok());
    EXPECT_EQ(files_in(root() / "blobs"), 2u) << "an unreadable manifest may name any blob";
  }
  EXPECT_TRUE(store.remove(ref("a")).ok());
  EXPECT_EQ(store.list()->size(), 1u);
  EXPECT_EQ(files_in(root() / "blobs"), 1u);
}

TEST_F(StoreTest, ResolveModelTakesPathsAndNames) {
  Store store(root());
  const fs::path file = write_model(folder_ / "m.gguf", 1.0f);
  ASSERT_TRUE(store.import(file, ref("m"), true, nullptr).ok());
  EXPECT_EQ(*resolve_model(store, "m", nullptr), *store.resolve(ref("m"), nullptr));
  EXPECT_EQ(*resolve_model(store, file.string(), nullptr), file);
  EXPECT_EQ(*resolve_model(store, "m.gguf", nullptr), "m.gguf");
  EXPECT_FALSE(resolve_model(store, "x", nullptr).ok());
  EXPECT_FALSE(resolve_model(store, "", nullptr).ok());
  EXPECT_FALSE(resolve_model(store, "a b", nullptr).ok());
}

// A full disk, by a small tmpfs of its own.
class FullDiskTest : public StoreTest {
 protected:
  void mount(const char* options) {
    fs::create_directories(root());
    if (::mount("ingle-test", root().c_str(), "tmpfs", 0, options) != 0) GTEST_SKIP() << "mounting takes root";
    mounted_ = true;
  }
  void TearDown() override {
    if (mounted_) ::umount(root().c_str());
    StoreTest::TearDown();
  }
  bool mounted_ = false;
};

TEST_F(FullDiskTest, AnImportThatDoesNotFitIsUndone) {
  ASSERT_NO_FATAL_FAILURE(mount("size=1m"));
  if (!mounted_) return;
  Store store(root());
  ASSERT_TRUE(store.import(write_model(folder_ / "small.gguf", 1.0f), ref("small"), false, nullptr).ok());
  const auto before = snapshot(root());
  const auto imported = store.import(write_model(folder_ / "big.gguf", 1.0f, 1 << 19), ref("big"), false, nullptr);
  ASSERT_FALSE(imported.ok());
  EXPECT_EQ(imported.error().code, ErrorCode::kResourceExhausted);
  EXPECT_THAT(imported.error().to_string(), HasSubstr("no space"));
  EXPECT_EQ(snapshot(root()), before);
  EXPECT_TRUE(store.resolve(ref("small"), nullptr).ok());
}

// No room for one more file, whichever step of the import wants it.
TEST_F(FullDiskTest, NoInodesAtAnyStep) {
  for (int inodes = 2; inodes < 16; inodes++) {
    ASSERT_NO_FATAL_FAILURE(mount(("size=1m,nr_inodes=" + std::to_string(inodes)).c_str()));
    if (!mounted_) return;
    Store store(root());
    const auto imported = store.import(write_model(folder_ / "m.gguf", 1.0f), ref("m"), false, nullptr);
    if (imported.ok()) {
      EXPECT_GT(inodes, 5);
      EXPECT_TRUE(store.resolve(ref("m"), nullptr).ok());
    } else {
      EXPECT_EQ(imported.error().code, ErrorCode::kResourceExhausted) << imported.error().message;
      const auto models = store.list();
      EXPECT_TRUE(!models.ok() || models->empty());
      EXPECT_EQ(files_in(root() / "blobs"), 0u) << inodes;
      EXPECT_EQ(files_in(root() / "manifests"), 0u) << inodes;
    }
    ::umount(root().c_str());
    mounted_ = false;
  }
}

}  // namespace
}  // namespace ingle
