// What a user of the layers needs, under one import.
@_exported public import Layers
@_exported public import Optimizers
@_exported public import TensorCore
@_exported public import Training
