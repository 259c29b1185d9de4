// The wireless network of a bundle, as an image hands it to wpa_supplicant.
#include "cli/image/command.h"
#include "tests/firmware/firmware.h"

namespace dunlin::test {
namespace {

class Wifi : public Firmware {
 protected:
  std::string settings_of(std::vector<std::string> options) {
    options.insert(options.begin(), {"device", "add", "pond", "--out", bundle("pond")});
    if (!fleet({"fleet", "init", "coast", "--broker", "10.0.2.2"}) || !fleet(options)) return "";
    return image::run({{"sh", profiles_ + "/base/root/usr/lib/dunlin/wifi", bundle("pond")}})
        .value();
  }
};

// The key is IEEE 802.11i's example of one.
TEST_F(Wifi, IsWhatTheBundleNames) {
  EXPECT_EQ(settings_of({"--wifi-network", "IEEE", "--wifi-passphrase-file",
                         folder_.write("passphrase", "password\n")}),
            "network={\nssid=49454545\n"
            "psk=f42c6fc52df0ebef9ebb4b90b38a5f902e83fe1b135a70e23aed762e9710a12e\n}\n");
}

TEST_F(Wifi, IsNoneWhereTheBundleNamesNone) {
  EXPECT_EQ(settings_of({}), "");
}

}  // namespace
}  // namespace dunlin::test
