{
  # For people who use node-gyp: it runs the same CMake build as "npm run build". npm builds what has this file, unless
  # package.json says "gypfile": false: it is not in the package.
  "targets": [
    {
      "target_name": "wuerstchen",
      "type": "none",
      "actions": [
        {
          "action_name": "cmake",
          "message": "building the addon with CMake",
          "inputs": ["CMakeLists.txt", "scripts/build.mjs"],
          "outputs": ["<(PRODUCT_DIR)/wuerstchen.node"],
          "action": ["node", "scripts/build.mjs", "--native"]
        }
      ]
    }
  ]
}
